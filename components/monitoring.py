"""Uptime checks and alerts, which mail the team when a service is down or slow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from lifecycle.naming import owner
from lifecycle.ownership import Ownership
from provider_sdks import digitalocean
from settings import MonitoringSettings, Settings
from stack_outputs import check_name


def monitor(
    name: str,
    settings: Settings,
    urls: Mapping[str, pulumi.Input[str]],
    ownership: Ownership,
    opts: pulumi.ResourceOptions | None = None,
) -> Monitoring | None:
    """Create the checks of these addresses, by service, if the stack configures `monitoring`."""
    if settings.monitoring is None:
        return None
    paths = {service: health.path for service, health in settings.health.items()}
    args = MonitoringArgs(settings=settings.monitoring, urls=urls, paths=paths, ownership=ownership)
    return Monitoring(name, args, opts)


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    settings: MonitoringSettings
    urls: Mapping[str, pulumi.Input[str]]
    """Public addresses, by service."""
    paths: Mapping[str, str]
    """Path of each check, by service."""
    ownership: Ownership


class Monitoring(pulumi.ComponentResource):
    """One check with its alerts for each target, named after their owner. Has no outputs."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Monitoring", name, None, opts)
        for service, address in args.urls.items():
            target = _target(address, args.paths[service])
            self._check(f"{name}-{service}", check_name(str(owner()), service), target, args)
        self.register_outputs({})

    def _check(self, name: str, title: str, target: pulumi.Output[str], args: MonitoringArgs) -> None:
        settings = args.settings
        opts = pulumi.ResourceOptions(parent=self, hooks=args.ownership.having)
        check = digitalocean.UptimeCheck(
            f"{name}-check",
            name=title,
            target=target,
            type=target.apply(lambda url: url.partition(":")[0]),
            regions=list(settings.regions),
            enabled=True,
            opts=opts,
        )

        def alert(kind: str, threshold: int | None = None, comparison: str | None = None) -> None:
            digitalocean.UptimeAlert(
                f"{name}-{kind}",
                name=f"{title} {kind}",
                check_id=check.id,
                type=kind,
                period="2m",
                threshold=threshold,
                comparison=comparison,
                notifications=[digitalocean.UptimeAlertNotificationArgs(emails=list(settings.emails))],
                opts=opts,
            )

        alert("down")
        alert("latency", threshold=settings.latency_ms, comparison="greater_than")


def _target(address: pulumi.Input[str], path: str) -> pulumi.Output[str]:
    """Return the checked URL. The address is empty when a stack is destroyed that was never deployed completely."""
    return pulumi.Output.from_input(address).apply(lambda url: f"{url or ''}{path}")
