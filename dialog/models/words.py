"""The bag-of-words loss: what the decoder starts from must also tell which words the reply has, unordered.

Zhao, Zhao and Eskenazi 2017, "Learning Discourse-level Diversity for Neural Dialog Models using Conditional Variational
Autoencoders", equation 5, here with the output layer's own embedding.
"""

import torch
from torch import Tensor, nn

from dialog.models.decoder import Replies
from dialog.models.parts import TokenTable

__all__ = ["BagOfWords"]


class BagOfWords(nn.Sequential):
    """f in -sum_t log softmax(E f(condition))[y_t], one tanh layer.

    Args:
        condition_size: size of the vector that tells the words.
        embedding_size: size of a token's vector.
    """

    def __init__(self, condition_size: int, embedding_size: int):
        super().__init__(nn.Linear(condition_size, embedding_size), nn.Tanh())

    def losses(self, table: TokenTable, condition: Tensor, replies: Replies) -> Tensor:
        """Returns the loss of each reply, (reply,), in nats, for conditions (reply, condition)."""
        log_shares = torch.log_softmax(table.logits(self(condition)), dim=1)
        return -replies.packing.sum_rows(log_shares[replies.packing.rows, replies.targets])
