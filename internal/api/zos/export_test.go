package zos

// LimitAnswer lowers the bound on one page's output, so that a test can reach it.
func (d *Dialect) LimitAnswer(n int) { d.maxAnswer = n }
