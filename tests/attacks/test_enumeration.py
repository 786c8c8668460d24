"""Who asks whether there is something, and may not know, is answered as if there were not."""

from typing import Any, Final

import httpx
import pytest

from tests.rest.api import Tenant

CHANGING: Final = {"date", "x-request-id"}
PLACES: Final[dict[str, dict[str, Any]]] = {
    "/api/v1/login": {"password": "guess guess guess"},
    "/api/v1/password/forgotten": {},
}
LINKS: Final[dict[str, dict[str, Any]]] = {
    "/api/v1/password/reset": {"password": "correct horse battery staple 2"},
    "/api/v1/email/verify": {},
    "/api/v1/invitations/accept": {},
}
MADE_UP: Final = (
    "x",
    "A" * 43,
    "01a205c7-c7a8-7878-8608-5c3555ae90ce",
    "asl_01a205c7-c7a8-7878-8608-5c3555ae90ce_" + "A" * 43,
    "' OR 1=1 --",
    "../../etc/passwd",
    "\u0000",
    "a" * 200,
)


def told(answer: httpx.Response) -> tuple[object, ...]:
    """Take what an answer says, but for what differs each time whoever asks."""
    body = answer.json() if answer.content else {}
    rest = {name: value for name, value in answer.headers.items() if name not in CHANGING}
    return answer.status_code, {**body, "instance": ""}, rest


@pytest.mark.parametrize("place", PLACES)
async def test_an_address_with_an_account_is_answered_as_one_without(
    stranger: httpx.AsyncClient, tenant: Tenant, place: str
) -> None:
    given = PLACES[place]
    for known in (tenant.email, tenant.email.upper(), f" {tenant.email}"):
        unknown = known.replace("owner", "other").replace("OWNER", "OTHER")
        answers = [
            told(await stranger.post(place, json={**given, "email": email}))
            for email in (known, unknown)
        ]
        assert answers[0] == answers[1], known


@pytest.mark.parametrize("place", LINKS)
async def test_a_link_that_was_made_up_says_nothing_of_whose_it_could_be(
    stranger: httpx.AsyncClient, place: str
) -> None:
    codes = set()
    for token in MADE_UP:
        answer = await stranger.post(place, json={**LINKS[place], "token": token})
        assert answer.status_code in {400, 401, 409, 429}, answer.text
        codes.add(answer.json()["code"])
    assert len(codes - {"input.invalid"}) <= 1


async def test_ids_that_were_guessed_say_nothing_of_whose_they_are(
    client: httpx.AsyncClient, other: Tenant
) -> None:
    """All tables, fields and routes are tried so in tests/isolation; here it is one for all."""
    guessed = "01a205c7-c7a8-7878-8608-5c3555ae90ce"
    for place in ("/api/v1/members/{}", "/api/v1/api-keys/{}", "/api/v1/tenants/{}"):
        answers = [
            await client.get(place.format(each)) for each in (other.id, other.key_id, guessed)
        ]
        assert {each.status_code for each in answers} == {404}, place
        assert len({each.json()["code"] for each in answers}) == 1
