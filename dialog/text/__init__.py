"""Text in and out of models: normalisation, the tokenizer, batches of token ids."""
