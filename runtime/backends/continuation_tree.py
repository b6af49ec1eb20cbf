"""Continuations of one prompt as a tree, in which a beginning that several have in common stands once."""

from collections.abc import Mapping, Sequence

ROOT = -1
"""Parent of the nodes that follow the prompt."""


class ContinuationTree:
    """The tokens of continuations that must be read to score them.

    Nodes are numbered so that parents stand before their children. A continuation's last token is scored but not read,
    so that it is no node.

    Attributes:
        tokens: token of each node.
        parents: parent of each node; `ROOT` for those that follow the prompt.

    Args:
        continuations: token ids, at least one each.
    """

    def __init__(self, continuations: Sequence[Sequence[int]]) -> None:
        self._continuations = continuations
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self._scored: dict[int, set[int]] = {}
        # For each continuation, the node before each of its tokens.
        self._paths = [self._path(continuation) for continuation in continuations]

    def scored_after(self, node: int) -> list[int]:
        """Returns the tokens that are scored after a node, or after `ROOT`; ascending."""
        return sorted(self._scored[node])

    def paths_to_leaves(self) -> list[list[int]]:
        """Returns the path from below the root to each leaf, which together lead through every node.

        There is at least one: an empty one where there are no nodes.
        """
        leaves = sorted(set(range(len(self.tokens))) - set(self.parents))
        return [self._path_to(leaf) for leaf in leaves] or [[]]

    def by_continuation(self, scores: Mapping[tuple[int, int], float]) -> list[list[float]]:
        """Returns the score of each token of each continuation.

        Args:
            scores: the score of each node, or `ROOT`, and token that is scored after it.
        """
        return [
            [scores[parent, token] for parent, token in zip(path, continuation, strict=True)]
            for path, continuation in zip(self._paths, self._continuations, strict=True)
        ]

    def _path_to(self, leaf: int) -> list[int]:
        path = []
        while leaf != ROOT:
            path.append(leaf)
            leaf = self.parents[leaf]
        return path[::-1]

    def _path(self, continuation: Sequence[int]) -> list[int]:
        path = [ROOT]
        for token in continuation[:-1]:
            path.append(self._node(path[-1], token))
        for node, token in zip(path, continuation, strict=True):
            self._scored.setdefault(node, set()).add(token)
        return path

    def _node(self, parent: int, token: int) -> int:
        if (parent, token) not in self._numbers:
            self._numbers[parent, token] = len(self.tokens)
            self.tokens.append(token)
            self.parents.append(parent)
        return self._numbers[parent, token]
