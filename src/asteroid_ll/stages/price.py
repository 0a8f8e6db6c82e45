"""The price comes first: said before anything that bills is created, and refused above the cap."""

from __future__ import annotations

from asteroid_ll.stages.stage import Context


def say_price(context: Context) -> None:
    """Say what the run can cost at most; on an account, refuse it above ``cost.max_usd``.

    Raises:
        ConfigError: the price is above the cap, or not known.
    """
    from asteroid_ll.aws.pricing import estimate, refuse_above

    config = context.config
    if config.target != "aws":
        return  # the emulator keeps a ledger, but nobody pays it
    estimated = estimate(
        training_type=config.training.instance_type,
        training_count=config.training.instance_count,
        max_runtime_s=config.training.max_runtime_s,
        hosting_type=config.hosting.instance_type,
        hosting_count=config.hosting.instance_count,
        hosting_h=config.hosting.keep_for_h,
        region=config.region,
    )
    context.say(f"price: {estimated.sentence()}, cap {config.cost.max_usd:.2f} USD")
    refuse_above(estimated, config.cost.max_usd)
