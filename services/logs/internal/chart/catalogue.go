package chart

import "gestor.local/contract"

// catalogue lists the charts in the order of the page.
func catalogue() []spec {
	observed := []contract.Kind{contract.KindHost, contract.KindContainer}
	withEvents := append(observed[:2:2], contract.KindDecision, contract.KindAction, contract.KindLaunch)
	return []spec{
		{Info{"population", "Population", "The containers of each class against the number the policy keeps, with arrivals and removals."}, newPopulation, withEvents},
		{Info{"memory", "Memory", "The host's memory over time, what the governed containers hold of it, and when containers were removed."}, newMemory, withEvents},
		{Info{"processes", "Processes", "CPU and RAM of the containers that used most, the dead included."}, newProcesses, observed},
		{Info{"lives", "Lives", "Every container from birth to death."}, newLivesChart, withEvents},
		{Info{"top", "Top consumers", "The five containers that use most RAM and CPU, now and over the range, the dead included."}, newTop, observed},
		{Info{"heatmap", "Removals and CPU by image", "When which image is removed, and when it works."}, newHeatmap, withEvents},
		{Info{"lifetimes", "Lifetimes", "How long containers live before they end."}, newLifetimes, withEvents},
		{Info{"control", "Control", "How fast the governor brings the population back, and what a tick costs."}, newControl, withEvents},
		{Info{"health", "Health", "The governor watching itself: rhythm, backlog, record flow."}, newHealth, contract.Kinds()},
	}
}
