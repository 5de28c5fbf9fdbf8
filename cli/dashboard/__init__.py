"""The page that shows a stack: one self-contained HTML document, as a file or served on loopback."""

from cli.dashboard.content import Content, Fact, Run, Service
from cli.dashboard.document import render
from cli.dashboard.graph import Graph, Node, from_state

__all__ = ["Content", "Fact", "Graph", "Node", "Run", "Service", "from_state", "render"]
