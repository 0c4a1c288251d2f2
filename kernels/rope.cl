// rope.cl
