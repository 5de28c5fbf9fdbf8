"""Uptime checks and alerts, which mail the team when a service is down or slow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from lifecycle.naming import owner
from lifecycle.ownership import Ownership
from provider_sdks import digitalocean
from stack_outputs import check_name

if TYPE_CHECKING:
    from settings import HealthSettings, MonitoringSettings


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    targets: Mapping[str, pulumi.Input[str]]
    """The URL that is checked, by service."""
    emails: Sequence[pulumi.Input[str]]
    """The addresses that get an alert's mail."""
    regions: Sequence[pulumi.Input[str]]
    """The regions that send requests, by DigitalOcean's names."""
    latency_ms: pulumi.Input[int]
    """A slower answer is an alert, in milliseconds."""
    ownership: Ownership
    """The hooks that check the owner of a check before it changes."""

    @classmethod
    def of(
        cls,
        monitoring: MonitoringSettings,
        health: Mapping[str, HealthSettings],
        urls: Mapping[str, pulumi.Input[str]],
        ownership: Ownership,
    ) -> MonitoringArgs:
        """Return the arguments that check each of these public addresses, by service, on its health check's path."""
        return cls(
            targets={service: _target(url, health[service].path) for service, url in urls.items()},
            emails=monitoring.emails,
            regions=monitoring.regions,
            latency_ms=monitoring.latency_ms,
            ownership=ownership,
        )


class Monitoring(pulumi.ComponentResource):
    """One check with its alerts for each target, named after their owner. Has no outputs."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Monitoring", name, None, opts)
        for service, target in args.targets.items():
            self._check(f"{name}-{service}", check_name(str(owner()), service), pulumi.Output.from_input(target), args)
        self.register_outputs({})

    def _check(self, name: str, title: str, target: pulumi.Output[str], args: MonitoringArgs) -> None:
        opts = pulumi.ResourceOptions(parent=self, hooks=args.ownership.having)
        check = digitalocean.UptimeCheck(
            f"{name}-check",
            name=title,
            target=target,
            type=target.apply(lambda url: url.partition(":")[0]),
            regions=list(args.regions),
            enabled=True,
            opts=opts,
        )

        def alert(kind: str, threshold: pulumi.Input[int] | None = None, comparison: str | None = None) -> None:
            digitalocean.UptimeAlert(
                f"{name}-{kind}",
                name=f"{title} {kind}",
                check_id=check.id,
                type=kind,
                period="2m",
                threshold=threshold,
                comparison=comparison,
                notifications=[digitalocean.UptimeAlertNotificationArgs(emails=list(args.emails))],
                opts=opts,
            )

        alert("down")
        alert("latency", threshold=args.latency_ms, comparison="greater_than")


def _target(address: pulumi.Input[str], path: str) -> pulumi.Output[str]:
    """Return the checked URL. The address is empty when a stack is destroyed that was never deployed completely."""
    return pulumi.Output.from_input(address).apply(lambda url: f"{url or ''}{path}")
