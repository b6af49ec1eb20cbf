"""Several continuations of one prompt as a tree, so that what they have in common is there once."""

from collections.abc import Mapping, Sequence

ROOT = -1
"""The parent of nodes that follow the prompt."""


class ContinuationTree:
    """The tokens after which something is asked, each once.

    Nodes are numbered so that parents stand before their children.

    Attributes:
        tokens: of each node.
        parents: of each node; `ROOT` for those that follow the prompt.

    Args:
        sequences: continuations of at least one token each.
    """

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        self._sequences = sequences
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self._asked: dict[int, set[int]] = {}
        # For each sequence, the node after which each of its tokens stands.
        self._paths = [self._path(sequence) for sequence in sequences]

    def asked_after(self, node: int) -> list[int]:
        """The tokens of which it is asked how likely they are after a node, or after the trunk; ascending."""
        return sorted(self._asked[node])

    def chains(self) -> list[list[int]]:
        """Paths from the trunk, which it is not part of, that together lead through every node.

        There is at least one: an empty one where there are no nodes.
        """
        leaves = sorted(set(range(len(self.tokens))) - set(self.parents))
        return [self._chain(leaf) for leaf in leaves] or [[]]

    def along_paths(self, scores: Mapping[tuple[int, int], float]) -> list[list[float]]:
        """What each sequence's tokens score, from the score of each node and token that is asked for after it."""
        return [
            [scores[parent, token] for parent, token in zip(path, sequence, strict=True)]
            for path, sequence in zip(self._paths, self._sequences, strict=True)
        ]

    def _chain(self, leaf: int) -> list[int]:
        chain = []
        while leaf != ROOT:
            chain.append(leaf)
            leaf = self.parents[leaf]
        return chain[::-1]

    def _path(self, sequence: Sequence[int]) -> list[int]:
        # A sequence's last token is looked up, not read: nothing is asked after it.
        path = [ROOT]
        for token in sequence[:-1]:
            path.append(self._node(path[-1], token))
        for node, token in zip(path, sequence, strict=True):
            self._asked.setdefault(node, set()).add(token)
        return path

    def _node(self, parent: int, token: int) -> int:
        if (parent, token) not in self._numbers:
            self._numbers[parent, token] = len(self.tokens)
            self.tokens.append(token)
            self.parents.append(parent)
        return self._numbers[parent, token]
