"""One receiver: what waits for it, the tries of each message within a budget, and its thread.

A message is tried until the receiver takes it, refuses it for good, or the budget is over. The
budget runs from when the message was read, or from the receiver's last success where that is
later: a receiver that is slow loses nothing, and one that is down holds nothing up for longer than
one budget. What is given up becomes a dead letter, and so does at once what finds the queue full.
So each receiver costs the others nothing but the time until offsets are committed.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import stamina
import structlog
from standardwebhooks import Webhook

from worker.metrics import Figures
from worker.notify.http_post import NoAnswer, post
from worker.notify.letters import Letter, letter_for
from worker.notify.messages import Message
from worker.notify.receivers import Receiver

WAIT_FIRST_S, WAIT_MOST_S, WAIT_JITTER_S = 0.5, 30.0, 1.0
"""Between tries: doubled from the first, with jitter, so that receivers are not hit in step."""

MOST_RETRY_AFTER_S = 120.0
"""A receiver may ask for patience; the budget may be over before."""

TRANSIENT = frozenset({408, 425, 429})
"""The answers below 500 that say "later"; RFC 9110, 8470 and 6585."""

GONE = 410
_TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    """One message for one receiver. `settled` is told of the dead letter, or None where it was
    delivered; `wanted` says whether what it is made of is still ours to tell."""

    message: Message
    settled: Callable[[Letter | None], None]
    wanted: Callable[[], bool] = lambda: True
    read_at: float = 0.0


class NotTaken(Exception):
    """A try that failed: `reason` is a word for figures and dead letters."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        for_good: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.for_good = for_good
        self.retry_after_s = retry_after_s


class Courier:
    """Delivers to one receiver, one message after the other, on a thread of its own."""

    def __init__(
        self,
        receiver: Receiver,
        *,
        timeout_s: float,
        budget_s: float,
        queue_messages: int,
        figures: Figures,
        draining: threading.Event,
        fail: Callable[[BaseException], None],
        wait_first_s: float = WAIT_FIRST_S,
        wait_jitter_s: float = WAIT_JITTER_S,
    ) -> None:
        self.receiver = receiver
        self._timeout_s = timeout_s
        self._budget_s = budget_s
        self._figures = figures
        self._draining = draining
        self._fail = fail
        self._closed = threading.Event()
        self._wait_first_s = wait_first_s
        self._wait_jitter_s = wait_jitter_s
        self._jobs: queue.Queue[Job] = queue.Queue(queue_messages)
        self._state: Literal["idle", "trying", "waiting"] = "idle"
        self._last_success = time.monotonic()
        self._trouble = ""
        self.gone = False
        """Whether it answered 410, and so is asked no more."""
        self._secrets: tuple[str, ...] = ()
        self._log = structlog.get_logger("worker").bind(receiver=receiver.name)
        self._thread = threading.Thread(
            target=self._run, name=f"courier-{receiver.name}", daemon=True
        )

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """Deliver nothing more; a try that is under way, or a pause, may last longer than this."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def offer(self, job: Job) -> None:
        """Take a message on; never waits: where the queue is full it becomes a dead letter."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            text = f"{self._jobs.maxsize} messages wait already; {self._trouble or 'it is slow'}"
            self._give_up(job, "queue_full", text, attempts=0)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way that will end soon: no try, and none that could follow."""
        return self._state == "waiting" or (self._state == "idle" and self._jobs.empty())

    def _run(self) -> None:
        try:
            self._deliver_all()
        except BaseException as error:  # a bug: that nobody is told any more must be heard of
            self._fail(error)

    def _deliver_all(self) -> None:
        while not self._closed.is_set():
            try:
                job = self._jobs.get(timeout=_TICK_S)
            except queue.Empty:
                self._state = "idle"
                continue
            self._state = "trying"
            if job.wanted():
                self.deliver(job)
            if self._jobs.empty():
                self._state = "idle"

    def deliver(self, job: Job) -> None:
        """Try until it is settled, on the calling thread.

        Nothing is settled where a drain cuts the tries short.
        """
        if self.gone:
            self._give_up(job, "gone", "it answered 410 Gone before", attempts=0)
            return
        until = max(job.read_at, self._last_success) + self._budget_s
        if time.monotonic() >= until:
            text = f"no try was left within {self._budget_s:g} s; before: {self._trouble}"
            self._give_up(job, "budget", text, attempts=0)
            return
        tries = 0
        try:
            for attempt in stamina.retry_context(
                on=lambda error: self._again(error, until),
                attempts=None,
                timeout=until - time.monotonic(),
                wait_initial=self._wait_first_s,
                wait_max=WAIT_MOST_S,
                wait_jitter=self._wait_jitter_s,
            ):
                with attempt:
                    tries += 1
                    self._state = "trying"
                    self._try(job.message)
        except NotTaken as failed:
            if (self._draining.is_set() or self._closed.is_set()) and not failed.for_good:
                return  # not committed: it is read and tried again by the next start
            self._give_up(job, failed.reason, str(failed), attempts=tries)
            return
        self._last_success = time.monotonic()
        self._trouble = ""
        self._figures.add("notify_delivered", receiver=self.receiver.name)
        job.settled(None)

    def _try(self, message: Message) -> None:
        """One try; NotTaken where the receiver did not take it."""
        slack = self.receiver.format == "slack"
        body = message.slack if slack else message.standard
        try:
            answer = post(
                self.receiver.address,
                signed_headers(message, body, self._read_secrets(), datetime.now(UTC)),
                body,
                timeout_s=self._timeout_s,
                tls=self.receiver.tls,
            )
        except NoAnswer as none:
            self._failed(none.cause, str(none))
            raise NotTaken(none.cause, str(none)) from none
        if 200 <= answer.status < 300:
            return
        reason = f"http_{answer.status}"
        text = f"it answered {answer.status}" + (f": {answer.excerpt}" if answer.excerpt else "")
        self._failed(reason, text)
        if answer.status == GONE:
            self.gone = True
            self._log.error(
                "receiver_gone", message="410: it wants nothing more; not asked again until restart"
            )
            raise NotTaken("gone", text, for_good=True)
        if 300 <= answer.status < 400:
            text += "; redirects are not followed, give the address that it leads to"
        for_good = answer.status < 500 and answer.status not in TRANSIENT
        raise NotTaken(
            reason, text, for_good=for_good, retry_after_s=_retry_after_s(answer.retry_after)
        )

    def _again(self, error: Exception, until: float) -> bool | float:
        """stamina's question after a try that failed: stop, go on, or go on after so long."""
        left = until - time.monotonic()
        if not isinstance(error, NotTaken) or error.for_good or left <= 0:
            return False
        if self._draining.is_set() or self._closed.is_set():
            return False
        self._state = "waiting"
        if error.retry_after_s is not None:
            return min(error.retry_after_s, MOST_RETRY_AFTER_S, left)
        return True

    def _read_secrets(self) -> tuple[str, ...]:
        """The secrets as they are now; those from before while a file is being replaced."""
        try:
            self._secrets = self.receiver.secrets.read()
        except ValueError as error:
            self._log.error("secrets", error=str(error), message="those read before are used")
        return self._secrets

    def _failed(self, cause: str, text: str) -> None:
        self._trouble = text
        self._figures.add("notify_failures", receiver=self.receiver.name, cause=cause)
        self._log.warning("not_delivered", cause=cause, error=text)

    def _give_up(self, job: Job, reason: str, text: str, *, attempts: int) -> None:
        letter = letter_for(
            job.message, self.receiver.name, reason=reason, text=text, attempts=attempts
        )
        self._log.error(
            "dead_letter",
            kind=job.message.kind,
            id=str(job.message.message_id),
            reason=reason,
            attempts=attempts,
        )
        job.settled(letter)


def signed_headers(
    message: Message, body: bytes, secrets: tuple[str, ...], now: datetime
) -> dict[str, str]:
    """The headers of one try: the id stays, the time is that of the try, one signature a secret."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "latentprint-notify",
        "webhook-id": str(message.message_id),
        "webhook-timestamp": str(int(now.timestamp())),
    }
    text = body.decode()
    signatures = [Webhook(secret).sign(headers["webhook-id"], now, text) for secret in secrets]
    if signatures:
        headers["webhook-signature"] = " ".join(signatures)
    return headers


def _retry_after_s(value: str | None) -> float | None:
    """Seconds or a date, as RFC 9110 has it; None for what is neither."""
    if value is None:
        return None
    if value.isdecimal():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
