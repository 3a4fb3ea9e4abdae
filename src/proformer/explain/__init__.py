"""What trained models have learnt: attribution, motifs, variants, design, and how sure the models are."""
