package quota

// Amount is what files take.
type Amount struct{ Bytes, Files int64 }

// MinCost is what the smallest file costs, in bytes: a block of the disk.
const MinCost = 4 << 10

// CostOf is what a file of that size costs.
func CostOf(size int64) Amount { return Amount{max(size, MinCost), 1} }

// Plus is the sum of two amounts.
func (a Amount) Plus(b Amount) Amount { return Amount{a.Bytes + b.Bytes, a.Files + b.Files} }

// Minus is the difference of two amounts, which may be negative.
func (a Amount) Minus(b Amount) Amount { return Amount{a.Bytes - b.Bytes, a.Files - b.Files} }

// OrNothing is the amount without what is negative of it.
func (a Amount) OrNothing() Amount { return Amount{max(0, a.Bytes), max(0, a.Files)} }
