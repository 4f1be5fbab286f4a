"""A real Kafka that lets in only who has a password or a certificate, and who has the rights."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from console.embedded import kafka, servers
from console.embedded.kafka_door import Passwords

KEEPER, PASSWORD = "keeper", "canary-of-the-keeper"
"""May do everything, by every mechanism."""

LISTENERS: Final = {
    "password": "SASL_PLAINTEXT",
    "both": "SASL_SSL",
    "token": "SASL_PLAINTEXT",
    "certificate": "SSL",
    "mutual": "SSL",
    "elsewhere": "SSL",
}
"""By what each is for: `token` takes unsigned ones, `mutual` asks for our certificate, `elsewhere`
gives itself a wrong name."""

_SASL: Final = """\
listener.name.{name}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.{name}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.\
PlainLoginModule required user_{user}="{password}";
listener.name.{name}.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.\
ScramLoginModule required;
listener.name.{name}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.\
ScramLoginModule required;
"""

_TOKEN: Final = """\
listener.name.token.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.token.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.\
OAuthBearerLoginModule required;
"""


class Authority:
    """A certificate authority of a moment, and certificates by it."""

    def __init__(self, home: Path) -> None:
        """Make it; its files are in `home`."""
        self.home = home
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("an authority of a test")
        made = _authoritys(self._key.public_key(), self._name)
        self.file = home / "authority.pem"
        self._pem = made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        self.file.write_bytes(self._pem)

    def issue(
        self, name: str, *, days: int = 2, begins_days_ago: int = 1, with_key_id: bool = True
    ) -> Path:
        """Return a PEM file with a key and a certificate, for 127.0.0.1 and no other host."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(
            _named(name), self._name, key.public_key(), days=days, ago=begins_days_ago
        ).add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]),
            critical=False,
        )
        if with_key_id:  # Python is strict about it from 3.13 on
            key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            made = made.add_extension(key_id, critical=False)
        path = self.home / f"{name}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            + self._pem
        )
        return path


class Secured(NamedTuple):
    """A Kafka with a listener for each way in, and one without any (for the test itself)."""

    plain: str
    ports: dict[str, int]
    authority: Authority

    def address(self, listener: str, host: str = "127.0.0.1") -> str:
        """Return the bootstrap address of a listener."""
        return f"{host}:{self.ports[listener]}"

    def add_user(self, name: str, password: str) -> None:
        """Let somebody in by SCRAM."""
        admin = self._admin()  # held: without a holder it ends before it is done
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            credential = UserScramCredentialUpsertion(
                name, ScramCredentialInfo(mechanism, 4096), password.encode()
            )
            for done in admin.alter_user_scram_credentials([credential]).values():
                done.result(20)

    def allow(self, user: str, rights: Iterable[tuple[str, str, str, bool]]) -> None:
        """Give rights: an operation, a kind of resource, its name, whether that begins it."""
        bindings = [
            AclBinding(
                ResourceType[kind.upper()], name,
                ResourcePatternType.PREFIXED if begins else ResourcePatternType.LITERAL,
                f"User:{user}", "*", AclOperation[operation], AclPermissionType.ALLOW,
            )
            for operation, kind, name, begins in rights
        ]  # fmt: skip
        admin = self._admin()
        for done in admin.create_acls(bindings).values():
            done.result(20)

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.plain})


def start(home: Path) -> Secured:
    """Start it; `console.embedded.servers.down(home)` ends it."""
    home.mkdir(parents=True, exist_ok=True)
    authority, ports = Authority(home), _free_ports(len(LISTENERS))
    keys = authority.issue("broker")
    listeners = dict(zip(LISTENERS, ports, strict=True))
    plainly = kafka.properties

    def properties(
        port: int, controller_port: int, known: Passwords | None, *, for_tests: bool
    ) -> str:
        text = plainly(port, controller_port, known, for_tests=for_tests)
        return text + _further(text, listeners, keys, authority.file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "properties", properties)
        access = servers.ensure_kafka(home, for_tests=True, authenticated=False)
    made = Secured(access.bootstrap, listeners, authority)
    made.add_user(KEEPER, PASSWORD)
    return made


def _further(text: str, ports: dict[str, int], keys: Path, authority: Path) -> str:
    """Return the properties beyond those of every embedded Kafka; the last of a name counts."""
    before = dict(line.split("=", 1) for line in text.splitlines())
    bound = "".join(f",{name.upper()}://127.0.0.1:{port}" for name, port in ports.items())
    protocols = "".join(f",{name.upper()}:{what}" for name, what in LISTENERS.items())
    advertised = bound.replace("ELSEWHERE://127.0.0.1", "ELSEWHERE://localhost")
    known = "listener.security.protocol.map"
    lines = {
        "listeners": before["listeners"] + bound,
        "advertised.listeners": before["advertised.listeners"] + advertised,
        known: before[known] + protocols,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keys),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority),
        "listener.name.mutual.ssl.client.auth": "required",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{KEEPER};User:CN={KEEPER}",
    }
    sasl = "".join(
        _SASL.format(name=name, user=KEEPER, password=PASSWORD)
        for name, what in LISTENERS.items()
        if what.startswith("SASL") and name != "token"
    )
    return "".join(f"{name}={value}\n" for name, value in lines.items()) + sasl + _TOKEN


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _authoritys(key: ec.EllipticCurvePublicKey, name: x509.Name) -> x509.CertificateBuilder:
    """Return an authority's own certificate, as RFC 5280 wants it."""
    may_sign = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        _certificate(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(may_sign, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    days: int = 2,
    ago: int = 1,
) -> x509.CertificateBuilder:
    began = datetime.now(UTC) - timedelta(days=ago)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=days))
    )
