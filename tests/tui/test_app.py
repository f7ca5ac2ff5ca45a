"""The app, from attaching to a reply, over a real socket."""

from __future__ import annotations

from protocol.messages import ActionRequest
from tests.tui.driving import Driver, drive


def test_attach_see_actors_and_log_fire_an_action_and_see_the_reply() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("counter/default", "orders/1042", "message 5")
        await driver.host.say("card accepted", amount=12)
        await driver.sees("card accepted", "amount=12")
        await driver.press("3")
        await driver.sees("increment", "Count up.", "how much")
        await driver.press("enter", "ctrl+u", "4", "enter")
        await driver.sees("ok in 1.50 ms")
        [request] = driver.host.asked_for(ActionRequest)
        assert (request.actor, request.name, request.args) == ("counter/default", "increment", {"amount": 4})
        await driver.press("escape", "2")
        await driver.sees("count: 7")

    drive(test)
