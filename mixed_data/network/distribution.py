"""The processes that train one network together, each with its devices: how they meet and what they tell each other."""

from __future__ import annotations

import atexit
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import keras
import numpy as np

HEARTBEAT_SECONDS = 20
"""After so long without a sign of a process, all others end with an error."""

JOIN_SECONDS = 120
"""So long a process waits for the others when a job begins."""

MOST_SECONDS = 7 * 24 * 3600
"""So long a process waits for what another one does alone, such as the audit."""

_VARIABLES = ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
_LOST = re.compile(r"\b(gloo|nccl|coordination service)\b", re.IGNORECASE)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_job: ContextVar[Job | None] = ContextVar("job", default=None)


@dataclass(frozen=True)
class Job:
    """One process of a training that several do together, or that one does on all its devices.

    Every method is called by all processes, in the same order: who calls waits for the others.

    Attributes:
        distribution: over all devices of all processes.
        num_processes: of the job.
        process_id: of this one, from 0. Process 0 decides and writes; the others follow.
    """

    distribution: keras.distribution.DataParallel
    num_processes: int = 1
    process_id: int = 0
    _number: Iterator[int] = field(default_factory=count, repr=False, compare=False)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that decides and writes."""
        return self.process_id == 0

    @property
    def num_devices(self) -> int:
        """Devices of all processes."""
        return int(self.distribution.num_model_replicas)

    def places(self, batch_size: int) -> range:
        """Return the places of a batch whose rows this process reads.

        A batch has as many places as is a multiple of the number of devices; those from ``batch_size`` on stay empty.

        Args:
            batch_size: rows per step, of all processes together.

        Raises:
            ValueError: there are more devices than rows in a batch.
        """
        if self.num_devices > batch_size:
            raise ValueError(
                f"a batch of {batch_size} rows cannot be split among {self.num_devices} devices; give a batch_size of "
                f"at least {self.num_devices}"
            )
        share = -(-batch_size // self.num_devices) * self.num_devices // self.num_processes
        return range(self.process_id * share, (self.process_id + 1) * share)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Make and train networks on all devices."""
        import jax

        # Without the mesh, JAX takes what was made before a step for something else than what the step gives back, and
        # compiles the step three times.
        with self.distribution.scope(), jax.set_mesh(self.distribution.device_mesh.backend_mesh):
            yield

    def share(self, message: Any = None) -> Any:
        """Give all processes what the first one says.

        Args:
            message: of process 0, of what JSON can hold; that of the others does not matter.

        Returns:
            It, as JSON gives it back: tuples are lists.
        """
        return json.loads(self.share_bytes(json.dumps(message).encode()))

    def share_bytes(self, content: bytes) -> bytes:
        """Give all processes what the first one has."""
        if self.num_processes == 1:
            return content
        from jax._src.distributed import global_state
        from jax.experimental.multihost_utils import broadcast_one_to_all

        # Processor networks give up after 30 minutes; only the service that watches over the processes waits longer.
        client: Any = global_state.client
        client.wait_at_barrier(f"mixed_data {next(self._number)}", MOST_SECONDS * 1000)
        num_bytes = int(broadcast_one_to_all(np.uint32(len(content))))
        # In a buffer of one of a few sizes, because JAX compiles a program for each.
        buffer = np.zeros(1 << num_bytes.bit_length(), np.uint8)
        if self.is_first:
            buffer[:num_bytes] = np.frombuffer(content, np.uint8)
        return bytes(broadcast_one_to_all(buffer)[:num_bytes].tobytes())


@contextmanager
def joined_job() -> Iterator[Job]:
    """Join the processes that the environment names, or be the only one; networks are then fitted by all of them.

    ``KERAS_DISTRIBUTION_JOB_ADDRESSES`` is the ``host:port`` of process 0, which listens there (what follows a comma is
    ignored), ``KERAS_DISTRIBUTION_NUM_PROCESSES`` how many there are, and ``KERAS_DISTRIBUTION_PROCESS_ID`` the number
    of this one. Without them, the job is this process with all its devices.

    Where a process ends before the others, these end too, with an error: at once where they wait for it, else after
    `HEARTBEAT_SECONDS`. JAX may end a process without an exception.

    Raises:
        ValueError: Keras runs on another backend than JAX, the environment names no job, or the processes have unequal
            numbers of devices.
        ConnectionError: another process has ended.
    """
    backend = keras.backend.backend()
    if backend != "jax":
        raise ValueError(
            f"networks are distributed by JAX only, and Keras runs on {backend!r} here; type "
            "pip install 'mixed_data[jax]', and then KERAS_BACKEND=jax before the command. On TensorFlow, neither "
            "MirroredStrategy nor MultiWorkerMirroredStrategy can train these networks (keras issue 20585)"
        )
    num_processes, process_id, address = _read_environment()
    if num_processes > 1:
        import jax

        # `keras.distribution.initialize` would leave the timeouts at minutes.
        jax.distributed.initialize(
            address,
            num_processes,
            process_id,
            initialization_timeout=JOIN_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=HEARTBEAT_SECONDS,
            # What listens there asks nobody for a password.
            coordinator_bind_address=address if address.rpartition(":")[0] in _LOOPBACK else None,
        )
    job = Job(keras.distribution.DataParallel(auto_shard_dataset=False), num_processes, process_id)
    if job.num_devices % num_processes:
        raise ValueError(f"expected as many devices in each of {num_processes} processes, got {job.num_devices} in all")
    try:
        with _without_standard_output():  # where Gloo would say whom it has met
            job.share()
        with fitted_by(job):
            yield job
        if num_processes > 1:
            jax.distributed.shutdown()  # together with the others
    except BaseException as error:
        if num_processes > 1:
            # JAX would wait for the others at the end, which may wait for this one.
            atexit.register(_end_at_once, 130 if isinstance(error, KeyboardInterrupt) else 1)
        if isinstance(error, ValueError | RuntimeError) and _LOST.search(str(error)):
            what = str(error).splitlines()[0][:200]
            raise ConnectionError(
                f"another process of the job has ended or cannot be reached ({what}); see what it says, and start all "
                "of them again, with --resume RUN where a run has begun"
            ) from error
        raise


def current_job() -> Job | None:
    """Return the job by which networks are fitted here; None where this process fits them alone."""
    return _job.get()


@contextmanager
def fitted_by(job: Job | None) -> Iterator[None]:
    """Fit networks by a job here, or with None by this process alone."""
    token = _job.set(job)
    try:
        yield
    finally:
        _job.reset(token)


@contextmanager
def _without_standard_output() -> Iterator[None]:
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _end_at_once(exit_code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code)


def _read_environment() -> tuple[int, int, str]:
    """Return the number of processes, the number of this one, and the address of process 0."""
    given = {name: os.environ.get(f"KERAS_DISTRIBUTION_{name}", "") for name in _VARIABLES}
    if not any(given.values()):
        return 1, 0, ""
    addresses, num_processes, process_id = given.values()
    address = addresses.partition(",")[0]
    is_whole = num_processes.isdecimal() and process_id.isdecimal() and address.rpartition(":")[2].isdecimal()
    if not is_whole or ":" not in address or int(process_id) >= int(num_processes):
        raise ValueError(
            "expected KERAS_DISTRIBUTION_JOB_ADDRESSES=host:port of process 0, KERAS_DISTRIBUTION_NUM_PROCESSES, and "
            "KERAS_DISTRIBUTION_PROCESS_ID from 0 to one less, all three or none of them; got "
            + ", ".join(f"{name}={value!r}" for name, value in given.items())
        )
    return int(num_processes), int(process_id), address
