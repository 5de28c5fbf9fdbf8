"""The page that shows a stack: one self-contained HTML document, as a file or served on loopback."""

from ops.page.content import Content, Fact, Run, Service
from ops.page.document import render
from ops.page.graph import Graph, Node, from_state

__all__ = ["Content", "Fact", "Graph", "Node", "Run", "Service", "from_state", "render"]
