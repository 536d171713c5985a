module gestor.local/kerneltests

go 1.26

require (
	gestor.local/contract v0.0.0
	golang.org/x/sys v0.38.0
)

replace gestor.local/contract => ../../services/contract
