module gestor.local/ship

go 1.26.0

require (
	gestor.local/contract v0.0.0
	gestor.local/wal v0.0.0
	github.com/google/go-cmp v0.7.0
	pgregory.net/rapid v1.3.0
)

replace gestor.local/contract => ../contract

replace gestor.local/wal => ../wal
