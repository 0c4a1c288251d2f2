// embedding.cl
