package simulate

import "gestor.local/contract"

// Compare runs the same arrivals under each switch that brings the original code's behaviour back: classes by rank, CPU since
// birth, no warm-up.
func Compare(o Options) ([]Result, error) {
	var results []Result
	for _, classify := range []contract.Classify{contract.ClassifyDeclared, contract.ClassifyRank} {
		for _, cpu := range []string{CPUInterval, CPULifetime} {
			for _, warmup := range []int{1, 0} {
				one := o
				one.Policy.Classify, one.CPU, one.Policy.Warmup = classify, cpu, warmup
				r, err := Run(one)
				if err != nil {
					return nil, err
				}
				results = append(results, r)
			}
		}
	}
	return results, nil
}
