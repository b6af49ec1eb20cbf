"""The tree of one prompt's continuations, in which a beginning that several share is stored once."""

from collections.abc import Mapping, Sequence

ROOT = -1
"""Number of the root, which stands for the prompt: the parent of the nodes that follow it."""


class ContinuationTree:
    """A tree of the tokens that must be read to score continuations.

    Nodes are numbered so that parents come before their children. A continuation's last token is scored but not read,
    so that it is no node.

    Attributes:
        tokens: token of each node.
        parents: parent of each node; `ROOT` for nodes that follow the prompt.

    Args:
        continuations: token ids of each continuation, at least one.
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
        """Returns the path from below the root to each leaf; together the paths lead through every node.

        Without nodes there is one path, which is empty.
        """
        leaves = sorted(set(range(len(self.tokens))) - set(self.parents))
        return [self._path_to(leaf) for leaf in leaves] or [[]]

    def by_continuation(self, scores: Mapping[tuple[int, int], float]) -> list[list[float]]:
        """Returns the score of each token of each continuation.

        Args:
            scores: score of each pair of a node, or `ROOT`, and a token that is scored after it.
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
