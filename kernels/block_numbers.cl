// block_numbers.cl - numbers the blocks of sequences
//
//   block_numbers   documents [batch, time] -> numbers [batch, time]
//
// A new block begins every `length` tokens and with every document. One work-item per sequence.
// Swift: Operations/BlockNumbers.swift

kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void block_numbers(global const int *restrict documents, global int *restrict numbers, const uint time,
                   const uint length) {
  const size_t first = (size_t)get_group_id(0) * time;
  int number = 0;
  uint filled = 0;
  for (uint t = 0; t < time; t++) {
    const size_t place = first + t;
    if (t > 0 && (filled == length || documents[place] != documents[place - 1])) {
      number++;
      filled = 0;
    }
    filled++;
    numbers[place] = number;
  }
}
