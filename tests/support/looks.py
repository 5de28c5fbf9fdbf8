"""What can be seen to be wrong with a page: text over text, something beyond the window's edge, words cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing it takes a while, in every process that collects the tests
    from playwright.sync_api import Page

# Every piece of text as rectangles, each cut to what its scrolling or hiding ancestors let be seen. Of two pieces the
# heights must overlap by a third: the lines of dense text touch one another by a pixel or two.
OVERLAPS = """() => {
  const pieces = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const clip = (element) => {
    let [left, top, right, bottom] = [-1e6, -1e6, 1e6, 1e6];
    for (let at = element; at; at = at.parentElement) {
      if (at instanceof SVGElement || getComputedStyle(at).overflow === "visible" || at === document.body) continue;
      const box = at.getBoundingClientRect();
      [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
      [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
    }
    return { left, top, right, bottom };
  };
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (!node.data.trim() || ["SCRIPT", "STYLE", "TITLE", "OPTION", "title"].includes(parent.tagName)) continue;
    if (!parent.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const bound = clip(parent);
    for (const box of range.getClientRects()) {
      const [left, right] = [Math.max(box.left, bound.left), Math.min(box.right, bound.right)];
      const [top, bottom] = [Math.max(box.top, bound.top), Math.min(box.bottom, bound.bottom)];
      const text = node.data.trim().slice(0, 40);
      if (right - left > 1 && bottom - top > 2) pieces.push({ node, left, right, top, bottom, text });
    }
  }
  const found = [];
  for (let i = 0; i < pieces.length; i++)
    for (let j = i + 1; j < pieces.length; j++) {
      const [a, b] = [pieces[i], pieces[j]];
      if (a.node === b.node) continue;
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1.5 && high > Math.min(a.bottom - a.top, b.bottom - b.top) / 3) found.push(`${a.text} | ${b.text}`);
    }
  return found;
}"""

# SVG text does not fold: it must fit into its box.
SPILLS = """() => [...document.querySelectorAll("svg g")].filter((each) => each.checkVisibility()).flatMap((group) => {
  const box = group.querySelector("rect")?.getBoundingClientRect();
  return [...group.querySelectorAll("text")].filter((text) => {
    const own = text.getBoundingClientRect();
    return box && (own.left < box.left || own.right > box.right || own.top < box.top || own.bottom > box.bottom);
  }).map((text) => text.textContent);
})"""


def overlaps(page: Page) -> list[str]:
    """Pairs of texts that stand on one another."""
    found: list[str] = page.evaluate(OVERLAPS)
    return found


def spills(page: Page) -> list[str]:
    """Texts of drawings that stand out of their boxes."""
    found: list[str] = page.evaluate(SPILLS)
    return found


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    found: int = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found
