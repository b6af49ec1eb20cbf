"""Text to ids and back, exactly as BioGPT was trained."""
