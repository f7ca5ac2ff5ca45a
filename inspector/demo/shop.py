"""The demo's shop, whose orders go through several actors."""

from __future__ import annotations

import random
from typing import ClassVar, Literal

import msgspec
import trio

from inspector.actors.actions import action
from inspector.actors.actor import Actor

__all__ = (
    "KEPT_ORDERS",
    "PRICES",
    "Customers",
    "Declined",
    "Mail",
    "MailState",
    "Order",
    "OrderState",
    "Payments",
    "PaymentsState",
    "Sku",
    "Stock",
    "StockState",
    "Traffic",
)

KEPT_ORDERS = 12
PRICES = {"kettle": 39, "lamp": 24, "chair": 85, "desk": 310, "clock": 18}
Sku = Literal["kettle", "lamp", "chair", "desk", "clock"]


class Declined(Exception):
    """The bank said no."""


class StockState(msgspec.Struct):
    """Pieces in the shelves."""

    shelves: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(PRICES, 40))
    refills: int = 0


class Stock(Actor[StockState]):
    """A warehouse."""

    @action
    async def reserve(self, sku: Sku, quantity: int) -> int:
        """Take pieces from their shelf, which is filled up first where it has too few; return what is left."""
        await trio.sleep(0.004)
        if self.state.shelves[sku] < quantity:
            self.state.shelves[sku] += 40
            self.state.refills += 1
            self.log.warn("shelf was empty", sku=sku)
        self.state.shelves[sku] -= quantity
        self.log.debug("reserved", sku=sku, quantity=quantity, left=self.state.shelves[sku])
        return self.state.shelves[sku]

    @action(concurrent=True)
    def level(self, sku: Sku) -> int:
        """Tell how many pieces are left, also while something is being reserved."""
        return self.state.shelves[sku]


class PaymentsState(msgspec.Struct):
    """What was taken in."""

    takings: int = 0
    declined: int = 0


class Payments(Actor[PaymentsState]):
    """A payment provider in one region."""

    name: ClassVar[str] = "pay"

    @action(timeout=5)
    async def charge(self, order: int, amount: int, card: str) -> str:
        """Charge a card and return the receipt; a card that ends in 51 is declined, one in 7 is slow at first."""
        if card.endswith("7"):
            self.log.warn("retry", order=order, attempt=2)
            await trio.sleep(0.2)
        await trio.sleep(0.02 + amount / 20_000)
        if card.endswith("51"):
            self.state.declined += 1
            raise Declined(f"card …{card[-2:]} was declined")
        self.state.takings += amount
        self.log.info("card accepted", order=order, amount=amount)
        return f"r-{order}"


class MailState(msgspec.Struct):
    """Letters."""

    sent: int = 0
    outbox: list[str] = []


class Mail(Actor[MailState]):
    """The post room: letters are put into the outbox and leave a moment later."""

    async def run(self) -> None:
        """Empty the outbox, for ever; an address that can't be is a crash, as in life."""
        while True:
            await trio.sleep(0.5)
            while self.state.outbox:
                letter = self.state.outbox.pop(0)
                if letter.startswith("!"):
                    raise ConnectionError(f"the mail server hung up on {letter!r}")
                self.state.sent += 1
                self.log.debug("sent", to=letter)

    @action
    def send(self, to: str) -> int:
        """Put a letter into the outbox and return how many wait there. An address that begins with ! is a bad one."""
        self.state.outbox.append(to)
        return len(self.state.outbox)


class OrderState(msgspec.Struct):
    """An order on its way."""

    status: Literal["new", "reserved", "paid", "sent", "declined"] = "new"
    sku: str | None = None
    quantity: int = 0
    amount: int = 0
    receipt: str | None = None


class Order(Actor[OrderState]):
    """One order, from the basket to the post."""

    name: ClassVar[str] = "orders"

    @action
    async def checkout(self, sku: Sku, quantity: int, card: str, region: Literal["eu", "us"] = "eu") -> str:
        """Reserve, charge and send; return the receipt."""
        number = int(self.key[0])
        state = self.state
        state.sku, state.quantity, state.amount = sku, quantity, quantity * PRICES[sku]
        await self.get(Stock, region).call(Stock.reserve, sku, quantity)
        state.status = "reserved"
        try:
            state.receipt = await self.get(Payments, region).call(Payments.charge, number, state.amount, card)
        except Exception:
            state.status = "declined"
            raise
        state.status = "paid"
        hasty = "!" if number % 45 == 0 else ""
        await self.get(Mail, "out").call(Mail.send, f"{hasty}customer-{number}@example.net")
        state.status = "sent"
        return state.receipt

    @action
    def track(self) -> str:
        """Tell where the order is."""
        return self.state.status


class Traffic(msgspec.Struct):
    """What the customers are up to."""

    orders: int = 0
    failed: int = 0
    rate: float = 1.0


class Customers(Actor[Traffic]):
    """Everybody who buys: `rate` orders a second."""

    rate: ClassVar[float] = 1.0
    seed: ClassVar[int] = 0

    def initial_state(self) -> Traffic:
        """Begin with the rate that the demo was started with."""
        return Traffic(rate=self.rate)

    async def run(self) -> None:
        """Order, for ever."""
        chance = random.Random(self.seed)
        number = 1000
        due = trio.current_time()
        while True:
            due = max(due + chance.uniform(0.6, 1.4) / max(self.state.rate, 0.001), trio.current_time() - 1)
            await trio.sleep_until(due)
            number += 1
            sku: Sku = chance.choice(list(PRICES))  # type: ignore[arg-type]  # the keys are what Sku lists
            card = f"{chance.randrange(10**15):016d}"
            if chance.random() < 0.06:
                card = card[:-2] + "51"
            region = "us" if chance.random() < 0.3 else "eu"
            self.spawn(self._order, number, sku, chance.randint(1, 4), card, region, name=f"order {number}")

    async def _order(self, number: int, sku: Sku, quantity: int, card: str, region: Literal["eu", "us"]) -> None:
        self.state.orders += 1
        order = self.get(Order, str(number))
        try:
            await order.call(Order.checkout, sku, quantity, card, region)
        except Exception as exc:
            # An order that fails is the shop's daily life, and no reason for the customers to crash.
            self.state.failed += 1
            self.log.debug("order failed", order=number, reason=str(exc))
        await trio.sleep(KEPT_ORDERS / max(self.state.rate, 0.001))
        await self.registry.stop(order)

    @action
    def set_rate(self, rate: float) -> float:
        """Let them order so many times a second from the next order on."""
        if not 0 < rate <= 5000:
            raise ValueError("a rate is more than 0 and at most 5000 orders a second")
        self.state.rate = rate
        return rate
