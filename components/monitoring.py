"""Uptime checks and alerts: somebody is told when a service is down, slow or about to lose its certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.providers import digitalocean
from settings import MonitoringSettings, Settings

WITH_HEALTH = frozenset({"backend", "api"})


def monitor(
    name: str, settings: Settings, urls: Mapping[str, pulumi.Input[str]], opts: pulumi.ResourceOptions | None = None
) -> Monitoring | None:
    """The checks of these addresses, by service, where the stack asks for them."""
    if settings.monitoring is None:
        return None
    args = MonitoringArgs(settings=settings.monitoring, urls=urls, health_path=settings.backend.health_path)
    return Monitoring(name, args, opts)


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    settings: MonitoringSettings
    urls: Mapping[str, pulumi.Input[str]]
    """Public addresses, by service."""
    health_path: str
    """Looked at instead of the front page, where a service has it."""


class Monitoring(pulumi.ComponentResource):
    """Produces nothing that others use; one check with its alerts for each target."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Monitoring", name, None, opts)
        for service, address in args.urls.items():
            path = args.health_path if service in WITH_HEALTH else "/"
            target = pulumi.Output.concat(address, path)
            self._watch(f"{name}-{service}", f"oracle-{service}", target, args.settings)
        self.register_outputs({})

    def _watch(self, name: str, title: str, target: pulumi.Output[str], settings: MonitoringSettings) -> None:
        check = digitalocean.UptimeCheck(
            f"{name}-check",
            name=title,
            target=target,
            type=target.apply(lambda url: url.partition(":")[0]),
            regions=list(settings.regions),
            enabled=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._alert(f"{name}-down", "down", check, settings)
        self._alert(
            f"{name}-latency", "latency", check, settings, threshold=settings.latency_ms, comparison="greater_than"
        )

    def _alert(
        self,
        name: str,
        kind: str,
        check: digitalocean.UptimeCheck,
        settings: MonitoringSettings,
        *,
        threshold: int | None = None,
        comparison: str | None = None,
    ) -> None:
        digitalocean.UptimeAlert(
            name,
            name=name,
            check_id=check.id,
            type=kind,
            period="2m",
            threshold=threshold,
            comparison=comparison,
            notifications=[digitalocean.UptimeAlertNotificationArgs(emails=list(settings.emails))],
            opts=pulumi.ResourceOptions(parent=self),
        )
