"""Several processes that train one run: who they are, what they tell each other, and gradients averaged over them."""

from __future__ import annotations

from ganzoo.engine.distributed.apart import check_weights as check_weights
from ganzoo.engine.distributed.apart import gather_own as gather_own
from ganzoo.engine.distributed.apart import take_own as take_own
from ganzoo.engine.distributed.gradients import Exchange as Exchange
from ganzoo.engine.distributed.ranks import ALONE as ALONE
from ganzoo.engine.distributed.ranks import Ranks as Ranks
from ganzoo.engine.distributed.ranks import join as join
