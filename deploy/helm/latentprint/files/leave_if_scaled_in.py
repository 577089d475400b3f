"""Before a pod stops: was it scaled in? Then its worker is told to leave the group for good.

    python leave_if_scaled_in.py STATEFULSET

It asks Kubernetes how many pods are wanted, beside the files that tell who asks. Where there is no
answer the worker stops as in a restart, and its partitions wait for its return; nothing is lost.
"""

import json
import os
import signal
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

ANSWER_S = 2.0
"""The worker's own drain begins after this."""

WORKER_PID = int(os.environ.get("WORKER_PID", "1"))


def wanted(statefulset: str, told: Path) -> int:
    """How many pods the StatefulSet is to have; none where it is gone."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    namespace = (told / "namespace").read_text()
    address = f"[{host}]" if ":" in host else host
    request = urllib.request.Request(
        f"https://{address}:{port}/apis/apps/v1/namespaces/{namespace}/statefulsets/{statefulset}",
        headers={"Authorization": f"Bearer {(told / 'token').read_text().strip()}"},
    )
    trusted = ssl.create_default_context(cafile=str(told / "ca.crt"))
    # No proxy: the answer is next door.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
    )
    try:
        with opener.open(request, timeout=ANSWER_S) as answer:
            return int(json.load(answer)["spec"]["replicas"])
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return 0
        raise


def main() -> None:
    """Send SIGUSR1 to the worker where its slot is above what is wanted."""
    told = Path(__file__).parent
    try:
        slot, replicas = int((told / "slot").read_text()), wanted(sys.argv[1], told)
    except (OSError, ValueError, KeyError) as error:
        print(f"stops as in a restart: {type(error).__name__}: {error}", file=sys.stderr)
        return
    if slot >= replicas:
        os.kill(WORKER_PID, signal.SIGUSR1)


if __name__ == "__main__":
    main()
