module duct/bench/peers/go

go 1.19
