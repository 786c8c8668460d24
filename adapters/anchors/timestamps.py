"""RFC 3161: a witness outside says that an anchor existed at a time.

What it answers is believed only for the very digest and nonce that were sent, and where root
certificates are set, only if they vouch for who signed it.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client.tsp import PKIStatus

from adapters.anchors.der import with_sorted_certificates
from adapters.settings import Settings
from application.anchors import TimestampFailed
from application.errors import Malformed

SECONDS_MAX: Final = 20.0
CALL_SECONDS_MAX: Final = 10.0
RESPONSE_BYTES_MAX: Final = 256 * 2**10
CHUNK_BYTES: Final = 16 * 2**10
SCHEMES: Final = ("http://", "https://")
Roots = Sequence[Certificate]


class HttpTimestamper:
    """Implements ``application.anchors.Timestamper``."""

    def __init__(self, url: str, roots: Roots = (), *, seconds_max: float = SECONDS_MAX) -> None:
        self._url = url
        self._roots = roots
        self._seconds_max = seconds_max

    async def stamp(self, content: bytes) -> bytes:
        return await asyncio.to_thread(self._stamp, content)

    def _stamp(self, content: bytes) -> bytes:
        request = TimestampRequestBuilder(content, HashAlgorithm.SHA256).build()
        answer = self._ask(request.as_bytes())
        stamped_at(answer, content, self._roots, nonce=request.nonce)
        return answer

    def _ask(self, body: bytes) -> bytes:
        until = time.monotonic() + self._seconds_max
        headers = {"Content-Type": "application/timestamp-query"}
        request = Request(self._url, body, headers)  # noqa: S310 - timestamper() checks the scheme.
        try:
            with urlopen(request, timeout=min(CALL_SECONDS_MAX, self._seconds_max)) as answer:  # noqa: S310 - as above.
                content = b""
                # A part at a time: one that drips for ever would never time out by itself.
                while part := answer.read1(CHUNK_BYTES):
                    content += part
                    if len(content) > RESPONSE_BYTES_MAX or time.monotonic() > until:
                        raise _failed("its answer is too long, or comes too slowly")
        except HTTPError as error:
            raise _failed(f"it answered with HTTP {error.code}") from error
        except URLError as error:
            raise _failed(f"it can't be reached ({error.reason})") from error
        except (OSError, ValueError) as error:
            raise _failed(f"the connection broke ({type(error).__name__})") from error
        return content


def timestamper(settings: Settings) -> HttpTimestamper | None:
    """Name the authority that is set; None where there is none.

    Raises:
        Malformed: The URL or the file of certificates can't be used.

    """
    if settings.tsa_url is None:
        return None
    if not settings.tsa_url.startswith(SCHEMES):
        raise Malformed(
            "settings.bad_tsa_url",
            "TSA_URL is no URL of http or https.",
            hint="Set the URL that the time-stamping authority names, or unset it.",
        )
    return HttpTimestamper(settings.tsa_url, root_certificates(settings))


def root_certificates(settings: Settings) -> Roots:
    """Read the certificates by which timestamps are verified; none where none are set.

    Raises:
        Malformed: The file can't be read, or holds no certificate.

    """
    path: Path | None = settings.tsa_root_certificate
    if path is None:
        return ()
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        raise Malformed(
            "settings.bad_tsa_root",
            "TSA_ROOT_CERTIFICATE can't be read, or holds no certificate.",
            hint="Name a file with the root certificates of the authority, in PEM.",
        ) from None


def stamped_at(
    answer: bytes, content: bytes, roots: Roots, *, nonce: int | None = None
) -> datetime:
    """Verify a time-stamp response over *content*, and return its time.

    Without *roots*, who signed it is not verified; a kept one's *nonce* is known no more.

    Raises:
        TimestampFailed: It is none, not over this content, or not vouched for.

    """
    try:
        return _vouched(answer, content, roots, nonce)
    except TimestampFailed:
        raise
    except Exception as error:  # A hostile answer makes the libraries raise all kinds.
        raise _failed(f"its signature can't be verified: {error}") from error


def _vouched(answer: bytes, content: bytes, roots: Roots, nonce: int | None) -> datetime:
    response = _granted(answer)
    stamp = response.tst_info
    if nonce is not None and stamp.nonce != nonce:
        raise _failed("it answered another request: the nonce differs")
    if stamp.message_imprint.message != sha256(content).digest():
        raise _failed("it stamped something else: the digest differs")
    if roots:
        VerifierBuilder(roots=list(roots)).build().verify_message(response, content)
    return stamp.gen_time.astimezone(UTC)


def _granted(answer: bytes) -> TimeStampResponse:
    try:
        response = decode_timestamp_response(with_sorted_certificates(answer))
        status = PKIStatus(response.status)
    except ValueError:
        raise _failed("its answer is no time-stamp response") from None
    if status is not PKIStatus.GRANTED:
        raise _failed(f"it refused ({status.name.lower()})")
    return response


def _failed(why: str) -> TimestampFailed:
    return TimestampFailed(
        "anchors.not_timestamped",
        f"The time-stamping authority gave no good timestamp: {why.rstrip('.')}.",
        hint="The anchor is kept. It is tried again; `asiento audit anchors` shows it.",
    )
