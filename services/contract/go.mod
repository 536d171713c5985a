module gestor.local/contract

go 1.26
