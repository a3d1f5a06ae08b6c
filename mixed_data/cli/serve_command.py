"""The command that makes a bundle a service. No Keras is needed."""

from __future__ import annotations

import argparse
import ipaddress
import os
from pathlib import Path

from mixed_data.cli.option_values import UsageError

KEY_VARIABLE = "MIXED_DATA_API_KEY"
_SECONDS_TO_FINISH = 30


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `serve`."""
    parser.add_argument("bundle", type=Path, help="folder written by train")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help=f"address to listen on; any but this computer's own wants a key in {KEY_VARIABLE}; default: %(default)s",
    )
    parser.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="rows that are computed at a time; default: %(default)s")
    parser.add_argument(
        "--requests",
        type=int,
        default=32,
        help="under way at a time; a further one is answered 503; default: %(default)s",
    )
    parser.add_argument(
        "--no-api-key", action="store_true", help=f"serve other computers without a key; ignores {KEY_VARIABLE}"
    )
    parser.add_argument("--name", default="mixed_data", help="of the model under /v2/models; default: %(default)s")


def serve(options: argparse.Namespace) -> None:
    """Answer requests until SIGTERM or Ctrl-C, then finish what is under way."""
    key = None if options.no_api_key else os.environ.get(KEY_VARIABLE)
    if key is None and not options.no_api_key and not is_own_address(options.host):
        raise UsageError(
            f"--host {options.host} can be reached from other computers: put a key into the environment variable "
            f"{KEY_VARIABLE}, or say --no-api-key"
        )
    if not 0 <= options.port <= 65535:
        raise UsageError(f"--port must be 0 to 65535, got {options.port}")
    if not options.name.isascii() or not options.name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"--name must be letters, digits, - and _, got {options.name!r}")
    import uvicorn

    from mixed_data.runtime import Predictor
    from mixed_data.serving import Limits, make_app

    limits = Limits(threads=options.threads, requests=options.requests)
    app = make_app(Predictor(options.bundle, num_threads=1), limits=limits, api_key=key, name=options.name)
    print(f"serving {options.bundle} at http://{options.host}:{options.port}, stop with Ctrl-C", flush=True)
    # No access log: an address may hold what somebody typed. A request's numbers are at /metrics.
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
    )


def is_own_address(host: str) -> bool:
    """Tell whether only this computer can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
