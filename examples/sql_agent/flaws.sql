-- Offenders for the consistency checks: TPC-H as generated has none.
UPDATE lineitem SET l_receiptdate = date(l_shipdate, '-3 days') WHERE l_orderkey % 4999 = 6 AND l_linenumber = 1;
UPDATE lineitem SET l_discount = 0.6 WHERE l_orderkey % 3989 = 4 AND l_linenumber = 1;
UPDATE customer SET c_acctbal = c_acctbal - 20000 WHERE c_custkey % 211 = 17;
UPDATE orders SET o_orderdate = '2031' || substr(o_orderdate, 5) WHERE o_orderkey % 6007 = 5;
UPDATE part SET p_retailprice = -p_retailprice WHERE p_partkey % 307 = 9;
UPDATE supplier SET s_acctbal = s_acctbal + 90000 WHERE s_suppkey % 29 = 3;
