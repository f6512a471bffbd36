"""Data-parallel training of one run by several processes (ranks): collectives, rank state, gradient averaging."""

from __future__ import annotations

from ganzoo.training.distributed.gradient_averaging import GradientExchange as GradientExchange
from ganzoo.training.distributed.rank_state import check_same_weights as check_same_weights
from ganzoo.training.distributed.rank_state import gather_rank_state as gather_rank_state
from ganzoo.training.distributed.rank_state import load_rank_state as load_rank_state
from ganzoo.training.distributed.ranks import SINGLE_RANK as SINGLE_RANK
from ganzoo.training.distributed.ranks import Ranks as Ranks
from ganzoo.training.distributed.ranks import join_process_group as join_process_group
