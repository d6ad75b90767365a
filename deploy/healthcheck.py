"""Whether the service of this container is ready: exit status 0 if it is, 1 if not.

Runs every few seconds beside the service, so it imports next to nothing.
"""

import http.client
import os
import sys


def main() -> int:
    """Asks the service where it listens, which its environment says as service/settings.py does."""
    port = os.environ.get("MIEN_PORT") or os.environ.get("PORT") or "8000"
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=2)
    try:
        connection.request("GET", "/health/ready")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer on port {port}: {error}")
        return 1
    print(f"/health/ready answers {status}")
    return 0 if status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
