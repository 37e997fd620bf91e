-- TPC-H without what no question needs (comments, addresses, phones, clerks, taxes): 6 MB instead of 15 at
-- scale factor 0.01, so that every rollout can afford its own copy.
CREATE TABLE region (r_regionkey INTEGER PRIMARY KEY, r_name TEXT NOT NULL);
CREATE TABLE nation (
    n_nationkey INTEGER PRIMARY KEY,
    n_name TEXT NOT NULL,
    n_regionkey INTEGER NOT NULL REFERENCES region
);
CREATE TABLE customer (
    c_custkey INTEGER PRIMARY KEY,
    c_name TEXT NOT NULL,
    c_nationkey INTEGER NOT NULL REFERENCES nation,
    c_acctbal REAL NOT NULL,
    c_mktsegment TEXT NOT NULL
);
CREATE TABLE supplier (
    s_suppkey INTEGER PRIMARY KEY,
    s_name TEXT NOT NULL,
    s_nationkey INTEGER NOT NULL REFERENCES nation,
    s_acctbal REAL NOT NULL
);
CREATE TABLE part (
    p_partkey INTEGER PRIMARY KEY,
    p_brand TEXT NOT NULL,
    p_type TEXT NOT NULL,
    p_size INTEGER NOT NULL,
    p_retailprice REAL NOT NULL
);
CREATE TABLE partsupp (
    ps_partkey INTEGER NOT NULL REFERENCES part,
    ps_suppkey INTEGER NOT NULL REFERENCES supplier,
    ps_availqty INTEGER NOT NULL,
    ps_supplycost REAL NOT NULL,
    PRIMARY KEY (ps_partkey, ps_suppkey)
) WITHOUT ROWID;
CREATE TABLE orders (
    o_orderkey INTEGER PRIMARY KEY,
    o_custkey INTEGER NOT NULL REFERENCES customer,
    o_orderstatus TEXT NOT NULL,
    o_totalprice REAL NOT NULL,
    o_orderdate TEXT NOT NULL,
    o_orderpriority TEXT NOT NULL
);
CREATE TABLE lineitem (
    l_orderkey INTEGER NOT NULL REFERENCES orders,
    l_linenumber INTEGER NOT NULL,
    l_partkey INTEGER NOT NULL REFERENCES part,
    l_suppkey INTEGER NOT NULL REFERENCES supplier,
    l_quantity INTEGER NOT NULL,
    l_extendedprice REAL NOT NULL,
    l_discount REAL NOT NULL,
    l_shipdate TEXT NOT NULL,
    l_receiptdate TEXT NOT NULL,
    l_shipmode TEXT NOT NULL,
    PRIMARY KEY (l_orderkey, l_linenumber)
) WITHOUT ROWID;

CREATE INDEX nation_region ON nation (n_regionkey);
CREATE INDEX customer_nation ON customer (c_nationkey);
CREATE INDEX supplier_nation ON supplier (s_nationkey);
CREATE INDEX partsupp_supplier ON partsupp (ps_suppkey);
CREATE INDEX orders_customer ON orders (o_custkey);
CREATE INDEX lineitem_part ON lineitem (l_partkey);
CREATE INDEX lineitem_supplier ON lineitem (l_suppkey);

-- Figures the board has not published yet: `answer` is nobody's business.
CREATE TABLE kpi_cache (kpi TEXT PRIMARY KEY, answer NUMERIC NOT NULL) WITHOUT ROWID;
