"""Real samples that are streamed by worker processes ahead of training: for data that do not fit into memory."""

from __future__ import annotations

import sys
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from ganzoo.core.data import Batch, Source
from ganzoo.datasets.temporaries import temporary_name
from ganzoo.errors import DatasetError, TrainingFailed
from ganzoo.training.batch_sharing import (
    InFile,
    Unshared,
    first_line,
    remove_folder,
    share,
    share_socket_folder,
    sharing_warning,
    sweep_batches,
)
from ganzoo.training.data_workers import default_workers, lost_worker_message, preserved_sigchld_handler, start_workers
from ganzoo.training.device_data import WHOLE, Order, Shard, ToUnit, as_stored, orders_of

PREFETCH_FACTOR = 2
"""Batches that each worker prepares ahead."""

LOST_WORKER_REMEDY = "The machine's memory, or /dev/shm, may have been full: fewer train.workers take less of it."
"""The remedy in the error about a killed worker."""

Rows = Mapping[str, Sequence[int]]
"""The indices of a batch's examples, by key."""


class StreamedData:
    """One split that worker processes decode ahead of training; memory holds a few batches, whatever the split's size.

    Batches, epochs, shards and `seek` are those of `DeviceData` over the same data, bit for bit: a batch's examples do
    not depend on the workers. On CUDA batches wait in pinned memory, and are copied while the previous step runs.
    workers: number of processes; 0 decodes each batch when it is drawn. They start with the first batch and end with
    `close`, or with the thread that drew that batch.

    Raises: DatasetError as `DeviceData`, and when a drawn batch contains a damaged file, which is named; TrainingFailed
    when the worker that should read a drawn batch was killed.
    """

    def __init__(
        self,
        source: Source,
        keys: Iterable[str],
        *,
        batch_size: int,
        seed: int,
        device: torch.device,
        paired: bool = True,
        shard: Shard = WHOLE,
        workers: int | None = None,
        to_unit: ToUnit = as_stored,
    ) -> None:
        self.to_unit = to_unit
        self.source = source
        self.sizes = {key: source.sizes[key] for key in keys}
        self.orders = orders_of(self.sizes, batch_size, seed, paired=paired, shard=shard)
        self.size = max(self.sizes.values())
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self.workers = default_workers() if workers is None else workers
        self.batches_per_epoch = max(order.batches_per_epoch for order in self.orders.values())
        self._batches: Iterator[Any] | None = None
        self._ahead: deque[dict[str, Tensor]] = deque()
        self._folder = temporary_name()
        sweep_batches()
        weakref.finalize(self, remove_folder, self._folder)
        self._warned = False
        self._first: dict[int, dict[str, Tensor]] = {}
        self.seek(0)

    def seek(self, drawn: int) -> None:
        """Goes to the position after `drawn` batches since the start of the run, without reading data."""
        self.close()
        self.drawn = drawn

    def __call__(self) -> Batch:
        """The next batch."""
        self.prepare(1)
        self.drawn += 1
        return self._on_device(self._ahead.popleft())

    def prepare(self, draws: int) -> None:
        """Waits for that many batches, so that a damaged file among them is found before a round begins."""
        while len(self._ahead) < draws:
            self._ahead.append(self._read())

    def _read(self) -> dict[str, Tensor]:
        if self._batches is None:
            self._batches = self._start()
        lost = ""
        try:
            read = next(self._batches)
        except Exception as error:
            lost = lost_worker_message(error) if self.workers else ""
            if not lost:
                raise
        if lost:  # raised outside of `except`: the loader's error references the loader, and so its workers
            self.close()
            raise TrainingFailed(f"a worker process that reads the data was killed: {lost}.", remedy=LOST_WORKER_REMEDY)
        if isinstance(read, InFile):
            read = self._take(read)
        if isinstance(read, Unshared):
            read = self._read_without_workers(read.why)
        if not isinstance(read, dict):
            self.close()
            what, remedy = read
            raise DatasetError(what, remedy=remedy)
        return read

    def first(self, n: int) -> Batch:
        """The first n examples in the order of the files (repeated if there are fewer); read once."""
        if n not in self._first:
            rows = {key: [number % size for number in range(n)] for key, size in self.sizes.items()}
            self._first[n] = {key: self.source.fetch(key, indices) for key, indices in rows.items()}
        return self._on_device(self._first[n])

    def close(self) -> None:
        """Ends the worker processes. Drawing another batch starts new ones."""
        self._stop_workers()
        self._ahead.clear()

    def _stop_workers(self) -> None:
        if self._batches is not None:
            self._batches = None  # the loader's workers end with its iterator
            remove_folder(self._folder)

    def _start(self) -> Iterator[Any]:
        if self.workers:
            share_socket_folder()
        try:
            return start_workers(self._create_loader, self.workers)
        except OSError as error:  # their queues take shared memory, too
            if not self.workers:
                raise
            self.workers = 0
            self._warn("read by the run's own process", first_line(error))
        return start_workers(self._create_loader, 0)

    def _take(self, batch: InFile) -> dict[str, Tensor] | Unshared:
        self._warn(f"passed on in files in {batch.path.parent}", batch.why)
        try:
            return batch.take()
        except (OSError, SafetensorError) as error:
            return Unshared(first_line(error))

    def _read_without_workers(self, why: str) -> Any:
        """The batch that no worker could pass on, and all after it, read by this process."""
        self._stop_workers()  # the batches that were read ahead of it stay
        self.workers = 0
        self._warned = False
        self._warn("read by the run's own process", why)
        self._batches = self._start()
        return next(self._batches)

    def _warn(self, by: str, why: str) -> None:
        if not self._warned:
            self._warned = True
            print(sharing_warning(by, why), file=sys.stderr)

    def _on_device(self, samples: Mapping[str, Tensor]) -> Batch:
        return {key: self.to_unit(key, read.to(self.device, non_blocking=True)) for key, read in samples.items()}

    def _create_loader(self, first: Callable[[int], None]) -> Iterator[Any]:
        loader: DataLoader[Any] = DataLoader(
            BatchReader(self.source, self._folder if self.workers else ""),  # type: ignore[arg-type]  # indexed by a batch's rows, not by a number
            batch_size=None,  # the reader returns whole batches
            sampler=OrderSampler(self.orders, self.drawn + len(self._ahead)),
            num_workers=self.workers,
            prefetch_factor=PREFETCH_FACTOR if self.workers else None,
            collate_fn=identity_collate,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=first,
            multiprocessing_context="fork" if self.workers and sys.platform == "linux" else None,
            generator=torch.Generator(),  # for the workers' seed, so that it is not drawn from training's stream
        )
        with warnings.catch_warnings():  # threads are lost by forking; the workers use none of them
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            with preserved_sigchld_handler():
                return iter(loader)


class OrderSampler(Sampler[Rows]):
    """The rows of each batch from number `drawn` on, without end."""

    def __init__(self, orders: Mapping[str, Order], drawn: int) -> None:
        self.orders = orders
        self.drawn = drawn

    def __iter__(self) -> Iterator[Rows]:
        cpu = torch.device("cpu")
        for number in count(self.drawn):
            yield {key: order.batch(number, cpu).tolist() for key, order in self.orders.items()}


class BatchReader:
    """A source as the dataset of a DataLoader: rows by key -> the batch, or the message and remedy of an error.

    folder: name of that for batches that do not fit into shared memory; "" where the run's own process reads.
    """

    def __init__(self, source: Source, folder: str) -> None:
        self.source = source
        self.folder = folder

    def __getitem__(self, rows: Rows) -> dict[str, Tensor] | InFile | Unshared | tuple[str, str]:
        try:
            samples = {key: self.source.fetch(key, indices) for key, indices in rows.items()}
            return share(samples, self.folder) if self.folder else samples
        except DatasetError as error:  # returned, as a DataLoader wraps raised exceptions in the worker's traceback
            return error.what, error.remedy


def identity_collate(read: Any) -> Any:
    """Returns a batch unchanged: BatchReader returns whole batches."""
    return read
