"""Making generators: data, model, losses, the loop and the export. The only floor that may import torch."""
