"""The conformance kit: does a plugin keep the contracts of ganzoo?

In a plugin's own tests:

    @pytest.mark.parametrize("check", checks_of("my_plugin"), ids=str)
    def test_the_plugin_keeps_the_contracts(check: Check) -> None:
        check()

`ganzoo check my_plugin` does the same without pytest. Everything runs on the CPU, on made-up data, without a network.
docs/testing.md says what each check asks.
"""

from ganzoo.testing.checks import Check
from ganzoo.testing.failure import Failure, NotChecked
from ganzoo.testing.plugin import checks_of

__all__ = ["Check", "Failure", "NotChecked", "checks_of"]
