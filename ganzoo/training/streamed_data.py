"""Real samples that are read piece by piece, ahead of training: for data that do not fit into memory."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from ganzoo.core.data import Batch, Source
from ganzoo.errors import DatasetError, TrainingFailed
from ganzoo.training.data_workers import begun, lost_worker, no_news_of_children, usual_workers
from ganzoo.training.device_data import WHOLE, Order, Shard, ToUnit, as_stored, orders_of

AHEAD = 2
"""Batches that each worker has ready before they are asked for."""

LOST = "The machine's memory, or /dev/shm, may have been full: fewer train.workers take less of it."
"""What to do about a worker that was killed."""

Rows = Mapping[str, Sequence[int]]
"""Which examples a batch is of, by key."""


class StreamedData:
    """One split that worker processes decode ahead of training; memory holds a few batches, whatever its size.

    Batches, epochs and shards are those of `DeviceData` over the same data, bit for bit, and so is where `seek` leads:
    which examples a batch is of does not depend on who reads them when. On CUDA batches wait in pinned memory, from
    which they are copied while the device is still at the step before.
    workers: processes; 0 decodes each batch when it is asked for. They begin with the first batch and end with `close`,
    or with the thread that asked for that batch.

    Raises: DatasetError as `DeviceData`, and when a batch is asked for that holds a damaged file, naming it;
    TrainingFailed when one is asked for that a worker had to read which was killed.
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
        self.workers = usual_workers() if workers is None else workers
        self.batches_per_epoch = max(order.batches_per_epoch for order in self.orders.values())
        self._batches: Iterator[Any] | None = None
        self._first: dict[int, dict[str, Tensor]] = {}
        self.seek(0)

    def seek(self, drawn: int) -> None:
        """Goes to where `drawn` batches have been drawn since the run began; nothing is read for it."""
        self.close()
        self.drawn = drawn

    def __call__(self) -> Batch:
        """The next batch."""
        if self._batches is None:
            self._batches = begun(self._start, self.workers)
        lost = ""
        try:
            read = next(self._batches)
        except Exception as error:
            lost = lost_worker(error) if self.workers else ""
            if not lost:
                raise
        if lost:  # raised here, for what the loader raised holds on to it, and it to the other workers
            self.close()
            raise TrainingFailed(f"a worker process that reads the data was killed: {lost}.", remedy=LOST)
        if not isinstance(read, dict):
            self.close()
            what, remedy = read
            raise DatasetError(what, remedy=remedy)
        self.drawn += 1
        return self._on_device(read)

    def first(self, n: int) -> Batch:
        """The first n examples as the files have them (again from the start where there are fewer); read once."""
        if n not in self._first:
            rows = {key: [number % size for number in range(n)] for key, size in self.sizes.items()}
            self._first[n] = {key: self.source.fetch(key, of_key) for key, of_key in rows.items()}
        return self._on_device(self._first[n])

    def close(self) -> None:
        """Ends the worker processes. A batch that is asked for afterwards begins new ones."""
        self._batches = None  # with its iterator, the loader's workers go

    def _on_device(self, samples: Mapping[str, Tensor]) -> Batch:
        return {key: self.to_unit(key, read.to(self.device, non_blocking=True)) for key, read in samples.items()}

    def _start(self, first: Callable[[int], None]) -> Iterator[Any]:
        loader: DataLoader[Any] = DataLoader(
            Reading(self.source),  # type: ignore[arg-type]  # it is asked for a batch by its rows, not for one number
            batch_size=None,  # what is read is a batch already
            sampler=Coming(self.orders, self.drawn),
            num_workers=self.workers,
            prefetch_factor=AHEAD if self.workers else None,
            collate_fn=as_it_is,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=first,
            multiprocessing_context="fork" if self.workers and sys.platform == "linux" else None,
            generator=torch.Generator(),  # the loader draws a seed for its workers, and not from training's stream
        )
        with warnings.catch_warnings():  # of threads that a forked process lacks: the workers use none of them
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            with no_news_of_children():
                return iter(loader)


class Coming(Sampler[Rows]):
    """Which examples the batches from that of number `drawn` on are of, without an end."""

    def __init__(self, orders: Mapping[str, Order], drawn: int) -> None:
        self.orders = orders
        self.drawn = drawn

    def __iter__(self) -> Iterator[Rows]:
        cpu = torch.device("cpu")
        for number in count(self.drawn):
            yield {key: order.batch(number, cpu).tolist() for key, order in self.orders.items()}


class Reading:
    """A source as a DataLoader's workers ask it: rows by key -> the batch, or what is wrong and the remedy."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __getitem__(self, rows: Rows) -> dict[str, Tensor] | tuple[str, str]:
        try:
            return {key: self.source.fetch(key, of_key) for key, of_key in rows.items()}
        except DatasetError as error:  # as a value: a worker's exceptions come out wrapped in its traceback
            return error.what, error.remedy


def as_it_is(read: Any) -> Any:
    """Nothing is put together: a batch was read as one."""
    return read
