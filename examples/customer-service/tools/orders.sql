-- Made into orders.sqlite with: sqlite3 orders.sqlite < orders.sql
CREATE TABLE orders (
  order_number TEXT PRIMARY KEY, item_zh TEXT NOT NULL, item_en TEXT NOT NULL, amount TEXT NOT NULL,
  status_zh TEXT NOT NULL, status_en TEXT NOT NULL, detail_zh TEXT NOT NULL, detail_en TEXT NOT NULL,
  courier TEXT NOT NULL, ordered_on TEXT NOT NULL) STRICT;
INSERT INTO orders VALUES
 ('QX20260101','竹柄雨伞','bamboo umbrella','89.00','运输中','in transit','包裹已到达杭州转运中心，预计明天送达。','The parcel has reached the Hangzhou hub and should arrive tomorrow.','SF','2026-11-20'),
 ('QX20260102','青瓷茶杯','celadon teacup','128.00','已签收','delivered','11 月 19 日由本人签收。','Signed for by the customer on 19 November.','ZTO','2026-11-15'),
 ('QX20260103','羊毛围巾','wool scarf','199.00','待发货','waiting to ship','仓库正在打包，今天 18 点前发出。','The warehouse is packing it; it leaves before 18:00 today.','SF','2026-11-23'),
 ('QX20260104','机械键盘','mechanical keyboard','459.00','退款中','being refunded','退货已验收，退款 3 个工作日内原路退回。','The return has been checked; the refund comes within 3 working days.','SF','2026-11-02'),
 ('QX20260105','儿童绘本套装','picture book set','76.50','已取消','cancelled','订单未付款，已自动取消。','It was not paid and has been cancelled automatically.','-','2026-11-18'),
 ('QX20260106','手冲咖啡壶','pour-over kettle','239.00','派送中','out for delivery','快递员正在派送，请保持电话畅通。','The courier is on the way; please keep your phone at hand.','SF','2026-11-21'),
 ('QX20260107','香薰蜡烛','scented candle','59.00','物流异常','delayed','因暴雨滞留在武汉，预计晚到 2 天，可申请 10 元延误补偿券。','Held in Wuhan by heavy rain, about 2 days late; a 10 yuan delay voucher can be claimed.','ZTO','2026-11-16'),
 ('QX20260108','登山背包','hiking backpack','329.00','换货中','being exchanged','新包裹已寄出，预计 3 天送达。','The replacement has been sent and should arrive in 3 days.','SF','2026-11-10');
