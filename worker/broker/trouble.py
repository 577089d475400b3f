"""Why Kafka cannot be reached, which its client tells its log alone: settings told from outages."""

import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kafka.errors import KafkaTimeoutError, RequestTimedOutError

from worker.broker.refusals import Who, refusal_of
from worker.errors import StopError

_NET_LOG = "kafka.net"
_MANAGER_LOG = f"{_NET_LOG}.manager"
"""Where the client says why a connection failed; its exceptions do not."""

LOGINS = 3
"""Connections that are closed at login, and nothing else heard, before it is no outage."""

_ASK_S = 0.5
"""Of a listener that has just hung up, whether it speaks TLS."""

_CLOSED = (
    "it closed the connection at once; a listener with TLS or SASL does that to a client without:"
    " check kafka.security"
)


class Trouble(logging.Handler):
    """Keeps why connections failed, which the client tells its log alone."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []
        self.hung_up = 0
        """How often the first question was answered by hanging up, after a greeting."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exceptions among what is logged."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.errors += [one for one in arguments if isinstance(one, BaseException)]
        text = str(record.msg)
        self.hung_up += text.startswith("Bootstrap attempt") and "disconnected" in text

    def refusal(self, who: Who) -> StopError | None:
        """The first failure that no waiting mends."""
        for error in self.errors:
            refusal = refusal_of(error, who)
            if refusal is not None:
                return refusal
            sentence = _of_tls(str(error), who)
            if sentence is not None:
                return StopError(f"Kafka at {who.brokers}: {sentence}", exit_code=2)
        said = self._of_hanging_up(who)
        return StopError(f"Kafka at {who.brokers} {said}", exit_code=2) if said else None

    def _of_hanging_up(self, who: Who) -> str | None:
        """What it means that nothing is heard but that connections are closed."""
        # A try that ends cuts off what is under way; that says nothing.
        cut_off = (KafkaTimeoutError, RequestTimedOutError)
        heard = [error for error in self._real() if not isinstance(error, cut_off)]
        closed = [error for error in heard if "socket disconnected" in str(error)]
        if len(closed) != len(heard):
            return None
        if who.mechanism is None and self.hung_up >= LOGINS:
            return (
                f"answers, and hangs up at the first question ({self.hung_up} times), as a listener"
                f" does that wants a login: kafka.security={who.security} sends none; set"
                f" {'SASL_SSL' if who.security == 'SSL' else 'SASL_PLAINTEXT or SASL_SSL'}"
            )
        if len(closed) < LOGINS:
            return None
        if not who.security.endswith("SSL") and _speaks_tls(who.brokers):
            return _says_tls(who)
        if who.mechanism is not None:
            return (
                f"closes the connection at every login ({len(closed)} in a row), as it does where"
                f" it does not take {who.credentials}"
            )
        return None

    def reason(self) -> str:
        """The last failure, in words; empty where none is known."""
        real = self._real()
        return _outage(str(real[-1])) if real else ""

    def _real(self) -> list[BaseException]:
        return [one for one in self.errors if "Unable to bootstrap" not in str(one)]


@contextmanager
def trouble_kept() -> Iterator[Trouble]:
    """Listen to why connections fail, instead of having every try printed."""
    trouble = Trouble()
    log = logging.getLogger(_MANAGER_LOG)
    level, propagate = log.level, log.propagate
    others, silence = logging.getLogger(_NET_LOG), logging.NullHandler()
    others_propagate = others.propagate
    log.addHandler(trouble)
    log.setLevel(logging.WARNING)
    others.addHandler(silence)
    log.propagate = others.propagate = False
    try:
        yield trouble
    finally:
        log.removeHandler(trouble)
        others.removeHandler(silence)
        others.propagate = others_propagate
        log.setLevel(level)
        log.propagate = propagate


def _of_tls(text: str, who: Who) -> str | None:
    if "Invalid frame length" in text:
        if _speaks_tls(who.brokers):
            return f"it {_says_tls(who)}"
        return (
            "what listens there is no Kafka listener of this kind (its answer is no Kafka frame):"
            " check the port, which may be Redis's, and kafka.security"
        )
    if "Handshake failed" not in text and "CERTIFICATE" not in text:
        return None
    detail = _detail(text)
    if "ALERT" in text and ("CERTIFICATE" in text or "UNKNOWN_CA" in text):
        if who.certificate is None:
            return (
                f"it wants a certificate of ours ({detail}): give kafka.tls_cert_file and"
                " kafka.tls_key_file, signed by an authority that the brokers trust"
            )
        return (
            f"it does not take our certificate {who.certificate} ({detail}): give one in"
            " kafka.tls_cert_file that is valid now, and signed by an authority that the brokers"
            " trust"
        )
    if "mismatch" in text:
        return f"its certificate is for another host name ({detail}); check kafka.brokers"
    if "expired" in text or "not yet valid" in text:
        return f"its certificate is not valid now ({detail}); renew it, or check the clock"
    if "certificate verify failed" in text:
        trusted = (
            "the authority in kafka.tls_ca_file"
            if who.authority
            else ("an authority that this machine trusts; give yours as kafka.tls_ca_file")
        )
        return f"its certificate is not signed by {trusted} ({detail})"
    return (
        f"no TLS could be spoken with it ({detail}): kafka.security={who.security} wants a"
        " TLS listener, and this one may be PLAINTEXT"
    )


def _says_tls(who: Who) -> str:
    return (
        f"speaks TLS, and kafka.security={who.security} does not: set"
        f" {'SASL_SSL' if who.mechanism else 'SSL, or SASL_SSL where it wants a login'}"
    )


def _speaks_tls(brokers: str) -> bool:
    """Whether the first of the brokers answers a greeting of TLS; nothing secret is sent."""
    host, _, port = brokers.split(",")[0].strip().rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        suppress(OSError, ValueError),
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ASK_S) as plain,
        context.wrap_socket(plain),
    ):
        return True
    return False


def _detail(text: str) -> str:
    return text.rpartition("Handshake failed: ")[2].rpartition("Error: ")[2].split(" (_ssl")[0]


def _outage(text: str) -> str:
    """Why a connection failed, shorter and plainer than the client says it."""
    known = {
        "ECONNREFUSED": "nothing listens there",
        "DNS": "the host name is not known",
        "timed out": "nothing answered in time",
        "disconnected": _CLOSED,
        "reset by peer": _CLOSED,
    }
    return next((plain for sign, plain in known.items() if sign in text), text)
