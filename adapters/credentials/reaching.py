"""Where secrets may be sent to: to public addresses by TLS, by the same rules as webhooks."""

from application.webhooks import Reach
from domain.kernel import Refused
from domain.webhooks import check_url


def check_address(reach: Reach, url: str) -> None:
    """Let no secret go where anybody could read it, or into our own network.

    Raises:
        Refused: The address is not one that secrets are sent to.

    """
    try:
        check_url(url)
        reach.check(url)
    except Refused as error:
        raise unreachable(error) from None


def unreachable(error: Refused) -> Refused:
    """Say of credentials what the reach of webhooks says."""
    return Refused(
        "credentials.bad_address",
        f"An address that the secret would be sent to can't be used: {error.message}",
        hint="Use a public one by https. For development, CREDENTIAL_ALLOW_HTTP and"
        " CREDENTIAL_ALLOW_PRIVATE let others pass.",
    )
