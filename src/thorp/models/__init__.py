"""Models: found, pulled, verified, kept. What everybody may see without loading more than names."""

from thorp.models.ids import ModelId, derive_model_id

__all__ = ["ModelId", "derive_model_id"]
