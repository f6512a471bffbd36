"""The ranks of a run: processes that train it together, each on its rows of every batch (torch.distributed).

`torchrun` starts them and says to each who it is; ganzoo finds that in the environment. A run of a single process has
one rank, and everything here is then nothing.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from ganzoo.errors import FailedElsewhere, GanzooError, TrainingFailed
from ganzoo.plugins import frame_said
from ganzoo.training.device import choose_device
from ganzoo.training.distributed import collectives as messages

Result = TypeVar("Result")

PATIENCE = timedelta(minutes=30)
"""How long a rank waits for the others, who may be scoring or downloading. One that is gone is noticed at once."""

FAILED = "failed"
"""Where on the notice board the first rank that fails says why."""


class Ranks:
    """One process among those that train a run. rank: of `size`; local_rank: of the `local_size` on its machine.

    board: torch's key-value store, which outlives a rank that fails.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, *, local_rank: int = 0, local_size: int = 1, board: Any = None
    ) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self.local_size = local_size
        self.board = board

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which writes and speaks for all."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.size > 1

    def place(self, name: str) -> torch.device:
        """The device of this rank, for what --device says: the GPU of its local number, or the CPU, whose cores the
        ranks of a machine share out unless OMP_NUM_THREADS says otherwise.

        Raises: GanzooError where there are fewer GPUs than ranks, or one GPU is named for all.
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
        """Raises: GanzooError where a batch cannot be shared out equally."""
        if batch_size % self.size:
            below, above = batch_size // self.size * self.size, -(-batch_size // self.size) * self.size
            near = " or ".join(str(n) for n in (below, above) if n)
            raise GanzooError(
                f"train.batch_size is {batch_size}, which {self.size} ranks cannot share out equally.",
                remedy=f"It is the whole batch, over all ranks: --set train.batch_size={near}, for example.",
            )

    @contextmanager
    def together(self) -> Iterator[None]:
        """What raises inside on one rank ends all of them. Nothing inside waits for another rank.

        Raises: on the first rank that failed its own exception, on the others FailedElsewhere.
        """
        mine: Exception | None = None
        try:
            yield
        except Exception as error:
            if not self.several:
                raise
            mine = error
        if self.several:
            told = messages.to_all(self._said(mine) if mine else b"")
            first = next((rank for rank, content in enumerate(told) if content), None)
            if first is not None:
                raise mine if mine and first == self.rank else _elsewhere(told[first])

    def in_turn(self, work: Callable[[], Result]) -> Result:
        """What `work` returns, done by rank 0 first, then by one rank of each machine, then by the rest: what it
        downloads or writes is there for those who come later, whether or not the machines share a disk.
        """
        turn = 0 if self.first else 1 if self.local_rank == 0 else 2
        for now in range(3 if self.several else 1):
            with self.together():
                if now == turn:
                    done = work()
        return done

    def decided(self, text: str) -> str:
        """What rank 0 gives as `text`, on every rank."""
        return messages.from_first(text.encode()).decode() if self.several else text

    def check_same(self, what: str, text: str, *, remedy: str = "") -> None:
        """Raises: TrainingFailed where `text`, which tells of `what`, is not the same on every rank."""
        if self.several:
            told = messages.to_all(text.encode())
            others = [rank for rank, content in enumerate(told) if content != told[0]]
            if others:
                named = f"rank {others[0]}" if len(others) == 1 else f"ranks {', '.join(map(str, others))}"
                self.fail(TrainingFailed(f"{what} of {named} differ from those of rank 0.", remedy=remedy))

    def means(self, values: Mapping[str, float]) -> dict[str, float]:
        """The mean over the ranks of each of the values, which have the same names everywhere."""
        if not self.several or not values:
            return dict(values)
        summed = messages.summed(torch.tensor(list(values.values()), dtype=torch.float64))
        return dict(zip(values, (summed / self.size).tolist(), strict=True))

    def gathered(self, content: bytes) -> list[bytes]:
        """Each rank's `content` on rank 0, and nothing elsewhere."""
        return messages.to_first(content) if self.several else [content]

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrites the tensors with those of rank 0."""
        if self.several:
            messages.copy_from_first(tensors)

    def fail(self, error: GanzooError) -> NoReturn:
        """Raises `error`, which every rank has found, on rank 0, which says it, and FailedElsewhere on the others."""
        raise error if self.first else FailedElsewhere(f"rank 0: {error}", exit_status=error.exit_status)

    @contextmanager
    def one_end(self) -> Iterator[None]:
        """What raises inside is put on the notice board, for the other ranks, whose next message will not come through.

        Raises: FailedElsewhere in the place of RankGone; TrainingFailed on rank 0 where nobody said why.
        """
        try:
            yield
        except messages.RankGone as gone:
            raise self._cause(gone) from gone
        except FailedElsewhere:
            raise
        except BaseException as error:
            if self.board is not None:
                self.board.compare_set(FAILED, "", self._said(error).decode())
            if not isinstance(error, GanzooError) and "TORCHELASTIC_ERROR_FILE" in os.environ:
                from torch.distributed.elastic.multiprocessing.errors import ErrorHandler

                ErrorHandler().record_exception(error)  # torchrun's own report shows it
            raise

    def _cause(self, gone: messages.RankGone) -> GanzooError:
        if self.board is not None and self.board.check([FAILED]):
            return _elsewhere(self.board.get(FAILED))
        what = "another rank is gone and did not say why: it was killed, or its machine is gone, too."
        if not self.first:
            return FailedElsewhere(what)
        return TrainingFailed(f"{what} ({gone})", remedy="The memory of its machine may have run out.")

    def _said(self, error: BaseException) -> bytes:
        known = isinstance(error, GanzooError)
        named = str(error) if known else f"{type(error).__name__}: {error}{frame_said(error)}"
        status = 130 if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_status", 1)
        return json.dumps({"what": f"rank {self.rank}: {named}", "status": status}).encode()


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


ALONE = Ranks()
"""A run of one process."""


def join() -> Ranks:
    """The place of this process among the ranks that torchrun started.

    The process group begins with the first call, and ends with the process.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size <= 1 or not {"RANK", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        return ALONE
    if not dist.is_initialized():
        gpus = torch.cuda.is_available() and dist.is_nccl_available()
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=PATIENCE)
        atexit.register(dist.destroy_process_group)
    return Ranks(
        dist.get_rank(),
        dist.get_world_size(),
        local_rank=int(os.environ.get("LOCAL_RANK", "0")),
        local_size=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        board=_notice_board(),
    )


def _notice_board() -> Any:
    """A store of torchrun's own process, which is there when a rank no longer is; each restart has a fresh page."""
    place, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(  # type: ignore[attr-defined]  # torch exports it without saying so
        place, port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=30)
    )
    page = f"ganzoo/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    return dist.PrefixStore(page, store)  # type: ignore[attr-defined]


def _elsewhere(content: bytes) -> FailedElsewhere:
    said = json.loads(content)
    return FailedElsewhere(said["what"], exit_status=said["status"])
