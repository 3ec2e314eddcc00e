// SPDX-License-Identifier: MIT
// A square table of numbers: indices that are checked, and arithmetic.
pub struct Matrix {
    pub side: usize,
    pub cells: Vec<Vec<f64>>,
}
impl Matrix {
    #[inline(never)]
    pub fn new(side: usize, words: &[String]) -> Matrix {
        let mut cells = Vec::with_capacity(side);
        for row in 0..side {
            let mut line = vec![0.0; side];
            for column in 0..side {
                line[column] = words[row * side + column].len() as f64;
            }
            cells.push(line);
        }
        Matrix { side, cells }
    }
    #[inline(never)]
    pub fn product(&self, other: &Matrix) -> Matrix {
        let mut cells = self.cells.clone();
        for row in 0..self.side {
            for column in 0..other.side {
                cells[row][column] =
                    (0..self.side).map(|k| self.cells[row][k] * other.cells[k][column]).sum();
            }
        }
        Matrix { side: self.side, cells }
    }
    #[inline(never)]
    pub fn trace(&self) -> usize {
        let square = self.product(self);
        let inverse = self.side.checked_div(square.cells.len() - 1).unwrap();
        (0..self.side).map(|i| square.cells[i][i] as usize).sum::<usize>() + inverse
    }
}
