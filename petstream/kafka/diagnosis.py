"""Why Kafka refuses a connection, in words: the client only says that it could not connect.

Rule 1: what waiting won't mend (`for_good`) is kept apart from what a stopping broker does.
Rule 2: no text of the broker's is repeated: it may hold the user's name.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final, NamedTuple

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from petstream.errors import PetstreamError
from petstream.settings import KafkaAccess

_DEADLINE_S: Final = 5.0
_WRONG_NAME: Final = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH
_OUT_OF_DATE: Final = (9, 10)  # not yet, and no longer

_HUNG_UP: Final = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


class Refusal(NamedTuple):
    """Why Kafka refuses us; `for_good` = waiting is no use."""

    message: str
    for_good: bool = True


def tls(access: KafkaAccess) -> ssl.SSLContext:
    """Return how certificates are checked, and which one we show.

    Raises:
        PetstreamError: a file of the settings can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=access.ssl_cafile)
    except OSError as error:
        raise PetstreamError(
            f"PETSTREAM_KAFKA_SSL_CAFILE: {access.ssl_cafile} isn't a PEM file of certificates "
            f"that can be read ({type(error).__name__})"
        ) from None
    if access.ssl_certfile is not None:
        try:
            # an empty password: for a key with one, OpenSSL would ask at the terminal
            context.load_cert_chain(access.ssl_certfile, access.ssl_keyfile, password="")
        except OSError as error:
            raise PetstreamError(
                f"PETSTREAM_KAFKA_SSL_CERTFILE: {access.ssl_certfile} and its key "
                f"({access.ssl_keyfile or 'in the same file'}) aren't a pair of PEM files "
                f"without a password ({type(error).__name__})"
            ) from None
    return context


async def refusal(access: KafkaAccess, options: dict[str, Any]) -> Refusal | None:
    """Return why Kafka refuses us, or None where it lets us in or nothing answers.

    Args:
        access: how to reach it.
        options: those of `petstream.kafka.client.client_options`.
    """
    try:
        async with asyncio.timeout(_DEADLINE_S):
            for address in access.bootstrap.split(","):
                host, _, port = address.strip().rpartition(":")
                why, brokers = await _knock(host, int(port), options)
                if why is not None:
                    return why._replace(message=f"Kafka at {host}:{port} {why.message}")
                for name, at_port in brokers:
                    why, _ = await _knock(name, at_port, options)
                    if why is not None:
                        on = f"Kafka at {host}:{port} sends us on to {name}:{at_port}, which "
                        return why._replace(message=on + why.message)
    except TimeoutError:
        pass
    return None


async def _knock(
    host: str, port: int, options: dict[str, Any]
) -> tuple[Refusal | None, list[tuple[str, int]]]:
    """Connect as the client does; return why we're refused, or the brokers that there are."""
    entry = {name: value for name, value in options.items() if name != "bootstrap_servers"}
    try:
        connection = await create_conn(host, port, **entry)
        try:
            metadata = await connection.send(MetadataRequest([]))
        finally:
            connection.close()
    except (KafkaError, OSError) as error:
        return _of(error, str(options["security_protocol"])), []
    return None, [(broker[1], broker[2]) for broker in metadata.brokers]


def _of(error: BaseException, protocol: str) -> Refusal | None:
    """Return what an error means; what aiokafka raises may hide it as its cause."""
    message = in_words(error, protocol)
    cause = error.__cause__
    if message is None and cause is not None:
        message = in_words(cause, protocol)
    if message is not None:
        return Refusal(message)
    if isinstance(cause, EOFError) or isinstance(error, _HUNG_UP):
        message = "closes the connection at once: check PETSTREAM_KAFKA_SECURITY_PROTOCOL "
        message += f"(now {protocol}) and the port in PETSTREAM_KAFKA"
        return Refusal(message, for_good=False)
    return None


def in_words(error: BaseException, protocol: str) -> str | None:
    """Return what a refusal is and how to mend it; None for what is no refusal."""
    match error:
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            return (
                "refuses the password: check PETSTREAM_KAFKA_SASL_USERNAME, "
                "PETSTREAM_KAFKA_SASL_PASSWORD and PETSTREAM_KAFKA_SASL_MECHANISM"
            )
        case UnsupportedSaslMechanismError():
            return "doesn't know this mechanism: set another PETSTREAM_KAFKA_SASL_MECHANISM"
        case IllegalSaslStateError():
            return (
                "asks for no password: set PETSTREAM_KAFKA_SECURITY_PROTOCOL="
                f"{'SSL' if protocol == 'SASL_SSL' else 'PLAINTEXT'}, or mend PETSTREAM_KAFKA"
            )
        case ssl.SSLCertVerificationError():
            return _of_certificate(error)
        case ssl.SSLError():
            return (
                "doesn't speak TLS as we do "
                f"({(error.reason or 'unknown').lower().replace('_', ' ')}): check "
                "PETSTREAM_KAFKA_SECURITY_PROTOCOL, the port in PETSTREAM_KAFKA, and "
                "PETSTREAM_KAFKA_SSL_CERTFILE if it asks for a certificate"
            )
    return None


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _WRONG_NAME:
        return (
            "shows a certificate for another name: use a name of the certificate in "
            "PETSTREAM_KAFKA and in the broker's advertised.listeners"
        )
    if error.verify_code in _OUT_OF_DATE:
        return "shows a certificate that isn't valid today: renew it, or set the clock"
    return (
        f"shows a certificate of an authority we don't know ({error.verify_message}): set "
        "PETSTREAM_KAFKA_SSL_CAFILE to the PEM file of the authority that signed it"
    )
