"""Several processes that train one run: who they are, what they tell each other, and gradients averaged over them."""

from __future__ import annotations

from ganzoo.training.distributed.gradient_averaging import Exchange as Exchange
from ganzoo.training.distributed.rank_state import check_weights as check_weights
from ganzoo.training.distributed.rank_state import gather_own as gather_own
from ganzoo.training.distributed.rank_state import take_own as take_own
from ganzoo.training.distributed.ranks import ALONE as ALONE
from ganzoo.training.distributed.ranks import Ranks as Ranks
from ganzoo.training.distributed.ranks import join as join
