"""The ranks of a run: processes that train it together, each on its rows of every batch (torch.distributed).

`torchrun` starts them and sets environment variables from which each reads its rank. A run of a single process has one
rank, for which the operations here do nothing.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from ganzoo.errors import FailedElsewhere, GanzooError, TrainingFailed
from ganzoo.plugins import error_report
from ganzoo.training.device import choose_device
from ganzoo.training.distributed import collectives

Result = TypeVar("Result")

TIMEOUT = timedelta(minutes=30)
"""How long a rank waits for others, which may be scoring or downloading. One that has ended is noticed at once."""

FAILURE_KEY = "failed"
"""The key in the store under which the first rank that fails writes the reason."""


class Ranks:
    """One of the processes that train a run. rank: of `size`; local_rank: of the `local_size` on its machine.

    store: torch's key-value store in the process of torchrun, which outlives a rank that fails.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, *, local_rank: int = 0, local_size: int = 1, store: Any = None
    ) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self.local_size = local_size
        self.store = store

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which alone writes files and messages."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there is more than one rank."""
        return self.size > 1

    def choose_device(self, name: str) -> torch.device:
        """The device of this rank for `--device`: the GPU of its local rank, or the CPU.

        The CPU's cores are divided among the ranks of a machine unless OMP_NUM_THREADS is set.

        Raises: GanzooError if there are fewer GPUs than ranks, or one GPU is named for several ranks.
        """
        if not self.several:
            return choose_device(name)
        if name.startswith("cuda:"):
            raise GanzooError(
                f"--device {name} is one GPU, and {self.size} ranks need one each.", remedy="Use --device cuda."
            )
        device = choose_device(name)
        if device.type == "cuda":
            count = torch.cuda.device_count()
            if self.local_size > count:
                raise GanzooError(
                    f"{self.local_size} ranks on this machine need a GPU each, and torch sees {count}.",
                    remedy=f"Use --nproc-per-node={count}, or --device cpu.",
                )
            device = torch.device("cuda", self.local_rank)
            torch.cuda.set_device(device)
        elif "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(max(1, cores() // self.local_size))
        return device

    def check_batch(self, batch_size: int) -> None:
        """Raises: GanzooError if the batch size is not divisible by the number of ranks."""
        if batch_size % self.size:
            below, above = batch_size // self.size * self.size, -(-batch_size // self.size) * self.size
            near = " or ".join(str(n) for n in (below, above) if n)
            raise GanzooError(
                f"train.batch_size is {batch_size}, which {self.size} ranks cannot share out equally.",
                remedy=f"It is the whole batch, over all ranks: --set train.batch_size={near}, for example.",
            )

    @contextmanager
    def fail_together(self) -> Iterator[None]:
        """Inside, an exception on one rank ends all of them. The block must not communicate with other ranks.

        Raises: its own exception on the first rank that failed, FailedElsewhere on the others.
        """
        own_error: Exception | None = None
        try:
            yield
        except Exception as error:
            if not self.several:
                raise
            own_error = error
        if self.several:
            contents = collectives.all_gather_bytes(self._failure_message(own_error) if own_error else b"")
            first = next((rank for rank, content in enumerate(contents) if content), None)
            if first is not None:
                raise own_error if own_error and first == self.rank else _failed_elsewhere(contents[first])

    def run_in_turn(self, work: Callable[[], Result]) -> Result:
        """Runs `work` on rank 0 first, then on one rank of each machine, then on the rest, and returns its result.

        Files that it downloads or writes are there for later ranks, whether or not the machines share a disk.
        """
        stage = 0 if self.first else 1 if self.local_rank == 0 else 2
        for current in range(3 if self.several else 1):
            with self.fail_together():
                if current == stage:
                    done = work()
        return done

    def broadcast_text(self, text: str) -> str:
        """The `text` of rank 0, on every rank."""
        return collectives.broadcast_bytes(text.encode()).decode() if self.several else text

    def check_same(self, what: str, text: str, *, remedy: str = "") -> None:
        """Raises: TrainingFailed if `text`, which describes `what`, is not the same on every rank."""
        if self.several:
            contents = collectives.all_gather_bytes(text.encode())
            others = [rank for rank, content in enumerate(contents) if content != contents[0]]
            if others:
                named = f"rank {others[0]}" if len(others) == 1 else f"ranks {', '.join(map(str, others))}"
                self.fail(TrainingFailed(f"{what} of {named} differ from those of rank 0.", remedy=remedy))

    def means(self, values: Mapping[str, float]) -> dict[str, float]:
        """The mean over the ranks of each value; all ranks pass the same names."""
        if not self.several or not values:
            return dict(values)
        total = collectives.all_reduce_sum(torch.tensor(list(values.values()), dtype=torch.float64))
        return dict(zip(values, (total / self.size).tolist(), strict=True))

    def gather(self, content: bytes) -> list[bytes]:
        """Each rank's `content` on rank 0, an empty list on the others."""
        return collectives.gather_bytes(content) if self.several else [content]

    def broadcast_tensors(self, tensors: Iterable[Tensor]) -> None:
        """Overwrites the tensors with those of rank 0."""
        if self.several:
            collectives.broadcast_tensors(tensors)

    def fail(self, error: GanzooError) -> NoReturn:
        """Raises `error`, which occurred on every rank, on rank 0, and FailedElsewhere on the others."""
        raise error if self.first else FailedElsewhere(f"rank 0: {error}", exit_status=error.exit_status)

    @contextmanager
    def propagate_failures(self) -> Iterator[None]:
        """Inside, an exception is written to the store, for the other ranks, whose next communication will fail.

        Raises: FailedElsewhere instead of RankLost; TrainingFailed on rank 0 if no rank wrote a reason.
        """
        try:
            yield
        except collectives.RankLost as lost:
            raise self._cause(lost) from lost
        except FailedElsewhere:
            raise
        except BaseException as error:
            if self.store is not None:
                self.store.compare_set(FAILURE_KEY, "", self._failure_message(error).decode())
            if not isinstance(error, GanzooError) and "TORCHELASTIC_ERROR_FILE" in os.environ:
                from torch.distributed.elastic.multiprocessing.errors import ErrorHandler

                ErrorHandler().record_exception(error)  # torchrun's own report shows it
            raise

    def _cause(self, lost: collectives.RankLost) -> GanzooError:
        if self.store is not None and self.store.check([FAILURE_KEY]):
            return _failed_elsewhere(self.store.get(FAILURE_KEY))
        what = "another rank is gone and did not say why: it was killed, or its machine is gone, too."
        if not self.first:
            return FailedElsewhere(what)
        return TrainingFailed(f"{what} ({lost})", remedy="The memory of its machine may have run out.")

    def _failure_message(self, error: BaseException) -> bytes:
        status = 130 if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_status", 1)
        return json.dumps({"what": f"rank {self.rank}: {error_report(error)}", "status": status}).encode()


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


SINGLE_RANK = Ranks()
"""The only rank of a run of one process."""


def join_process_group() -> Ranks:
    """Joins the process group of the ranks that torchrun started; SINGLE_RANK if it started none.

    The group is created by the first call, and destroyed, with its threads, when the process ends.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size <= 1 or not {"RANK", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        return SINGLE_RANK
    if not dist.is_initialized():
        # Its functions have the group of the time of their import as their default argument. Imported later, as torch's
        # compiler does, they keep the group, whose threads then run on while the interpreter ends, and abort (SIGABRT).
        import_module("torch.distributed.nn.functional")
        gpus = torch.cuda.is_available() and dist.is_nccl_available()
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=TIMEOUT)
        atexit.register(dist.destroy_process_group)
    return Ranks(
        dist.get_rank(),
        dist.get_world_size(),
        local_rank=int(os.environ.get("LOCAL_RANK", "0")),
        local_size=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        store=_torchrun_store(),
    )


def _torchrun_store() -> Any:
    """The store in torchrun's own process, which outlives the ranks; each restart has its own prefix."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(  # type: ignore[attr-defined]  # torch exports it without saying so
        host, port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=30)
    )
    prefix = f"ganzoo/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    return dist.PrefixStore(prefix, store)  # type: ignore[attr-defined]


def _failed_elsewhere(content: bytes) -> FailedElsewhere:
    failure = json.loads(content)
    return FailedElsewhere(failure["what"], exit_status=failure["status"])
