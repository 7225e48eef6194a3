module @jit_step attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8xf32> {tf.aliasing_output = 0 : i32}, %arg1: tensor<8x1x3x3xf32> {tf.aliasing_output = 1 : i32}, %arg2: tensor<16xf32> {tf.aliasing_output = 2 : i32}, %arg3: tensor<16x8x3x3xf32> {tf.aliasing_output = 3 : i32}, %arg4: tensor<10xf32> {tf.aliasing_output = 4 : i32}, %arg5: tensor<256x10xf32> {tf.aliasing_output = 5 : i32}, %arg6: tensor<8xf32> {tf.aliasing_output = 6 : i32}, %arg7: tensor<8x1x3x3xf32> {tf.aliasing_output = 7 : i32}, %arg8: tensor<16xf32> {tf.aliasing_output = 8 : i32}, %arg9: tensor<16x8x3x3xf32> {tf.aliasing_output = 9 : i32}, %arg10: tensor<10xf32> {tf.aliasing_output = 10 : i32}, %arg11: tensor<256x10xf32> {tf.aliasing_output = 11 : i32}, %arg12: tensor<i32> {tf.aliasing_output = 12 : i32}, %arg13: tensor<8xf32> {tf.aliasing_output = 13 : i32}, %arg14: tensor<8x1x3x3xf32> {tf.aliasing_output = 14 : i32}, %arg15: tensor<16xf32> {tf.aliasing_output = 15 : i32}, %arg16: tensor<16x8x3x3xf32> {tf.aliasing_output = 16 : i32}, %arg17: tensor<10xf32> {tf.aliasing_output = 17 : i32}, %arg18: tensor<256x10xf32> {tf.aliasing_output = 18 : i32}, %arg19: tensor<32x1x8x8xf32>, %arg20: tensor<32xi32>, %arg21: tensor<f32>, %arg22: tensor<i32>) -> (tensor<8xf32> {jax.result_info = "result[0]['conv1']['bias']"}, tensor<8x1x3x3xf32> {jax.result_info = "result[0]['conv1']['weight']"}, tensor<16xf32> {jax.result_info = "result[0]['conv2']['bias']"}, tensor<16x8x3x3xf32> {jax.result_info = "result[0]['conv2']['weight']"}, tensor<10xf32> {jax.result_info = "result[0]['fc']['bias']"}, tensor<256x10xf32> {jax.result_info = "result[0]['fc']['weight']"}, tensor<8xf32> {jax.result_info = "result[1]['m']['conv1']['bias']"}, tensor<8x1x3x3xf32> {jax.result_info = "result[1]['m']['conv1']['weight']"}, tensor<16xf32> {jax.result_info = "result[1]['m']['conv2']['bias']"}, tensor<16x8x3x3xf32> {jax.result_info = "result[1]['m']['conv2']['weight']"}, tensor<10xf32> {jax.result_info = "result[1]['m']['fc']['bias']"}, tensor<256x10xf32> {jax.result_info = "result[1]['m']['fc']['weight']"}, tensor<i32> {jax.result_info = "result[1]['steps']"}, tensor<8xf32> {jax.result_info = "result[1]['v']['conv1']['bias']"}, tensor<8x1x3x3xf32> {jax.result_info = "result[1]['v']['conv1']['weight']"}, tensor<16xf32> {jax.result_info = "result[1]['v']['conv2']['bias']"}, tensor<16x8x3x3xf32> {jax.result_info = "result[1]['v']['conv2']['weight']"}, tensor<10xf32> {jax.result_info = "result[1]['v']['fc']['bias']"}, tensor<256x10xf32> {jax.result_info = "result[1]['v']['fc']['weight']"}, tensor<f32> {jax.result_info = "result[2]"}, tensor<i32> {jax.result_info = "result[3]"}) {
    %0 = stablehlo.convolution(%arg19, %arg1) dim_numbers = [b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<32x1x8x8xf32>, tensor<8x1x3x3xf32>) -> tensor<32x8x8x8xf32>
    %1 = stablehlo.broadcast_in_dim %arg0, dims = [0] : (tensor<8xf32>) -> tensor<8x1x1xf32>
    %2 = stablehlo.broadcast_in_dim %1, dims = [1, 2, 3] : (tensor<8x1x1xf32>) -> tensor<1x8x1x1xf32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [0, 1, 2, 3] : (tensor<1x8x1x1xf32>) -> tensor<32x8x8x8xf32>
    %4 = stablehlo.add %0, %3 : tensor<32x8x8x8xf32>
    %5 = call @relu(%4) : (tensor<32x8x8x8xf32>) -> tensor<32x8x8x8xf32>
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %6 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<32x8x8x8xf32>
    %7 = stablehlo.compare GT, %4, %6, FLOAT : (tensor<32x8x8x8xf32>, tensor<32x8x8x8xf32>) -> tensor<32x8x8x8xi1>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %8 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<32x8x8x8xf32>
    %9 = stablehlo.convolution(%5, %arg3) dim_numbers = [b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<32x8x8x8xf32>, tensor<16x8x3x3xf32>) -> tensor<32x16x8x8xf32>
    %10 = stablehlo.broadcast_in_dim %arg2, dims = [0] : (tensor<16xf32>) -> tensor<16x1x1xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [1, 2, 3] : (tensor<16x1x1xf32>) -> tensor<1x16x1x1xf32>
    %12 = stablehlo.broadcast_in_dim %11, dims = [0, 1, 2, 3] : (tensor<1x16x1x1xf32>) -> tensor<32x16x8x8xf32>
    %13 = stablehlo.add %9, %12 : tensor<32x16x8x8xf32>
    %14 = call @relu_0(%13) : (tensor<32x16x8x8xf32>) -> tensor<32x16x8x8xf32>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %15 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<32x16x8x8xf32>
    %16 = stablehlo.compare GT, %13, %15, FLOAT : (tensor<32x16x8x8xf32>, tensor<32x16x8x8xf32>) -> tensor<32x16x8x8xi1>
    %cst_2 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %17 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<32x16x8x8xf32>
    %18 = stablehlo.reshape %14 : (tensor<32x16x8x8xf32>) -> tensor<32x16x4x2x4x2xf32>
    %cst_3 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %19 = stablehlo.reduce(%18 init: %cst_3) applies stablehlo.add across dimensions = [3, 5] : (tensor<32x16x4x2x4x2xf32>, tensor<f32>) -> tensor<32x16x4x4xf32>
    %cst_4 = stablehlo.constant dense<4.000000e+00> : tensor<f32>
    %20 = stablehlo.broadcast_in_dim %cst_4, dims = [] : (tensor<f32>) -> tensor<32x16x4x4xf32>
    %21 = stablehlo.divide %19, %20 : tensor<32x16x4x4xf32>
    %22 = stablehlo.reshape %21 : (tensor<32x16x4x4xf32>) -> tensor<32x256xf32>
    %23 = stablehlo.dot_general %22, %arg5, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x256xf32>, tensor<256x10xf32>) -> tensor<32x10xf32>
    %24 = stablehlo.broadcast_in_dim %arg4, dims = [1] : (tensor<10xf32>) -> tensor<1x10xf32>
    %25 = stablehlo.broadcast_in_dim %24, dims = [0, 1] : (tensor<1x10xf32>) -> tensor<32x10xf32>
    %26 = stablehlo.add %23, %25 : tensor<32x10xf32>
    %27:3 = call @log_softmax(%26) : (tensor<32x10xf32>) -> (tensor<32x10xf32>, tensor<32x10xf32>, tensor<32x1xf32>)
    %28 = stablehlo.broadcast_in_dim %arg20, dims = [0] : (tensor<32xi32>) -> tensor<32x1xi32>
    %29:2 = call @take_along_axis(%27#0, %28) : (tensor<32x10xf32>, tensor<32x1xi32>) -> (tensor<32x1xf32>, tensor<32x1x1xi32>)
    %cst_5 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %30 = stablehlo.reduce(%29#0 init: %cst_5) applies stablehlo.add across dimensions = [0, 1] : (tensor<32x1xf32>, tensor<f32>) -> tensor<f32>
    %cst_6 = stablehlo.constant dense<3.200000e+01> : tensor<f32>
    %31 = stablehlo.divide %30, %cst_6 : tensor<f32>
    %32 = stablehlo.negate %31 : tensor<f32>
    %33 = call @argmax(%26) : (tensor<32x10xf32>) -> tensor<32xi32>
    %34 = stablehlo.compare EQ, %33, %arg20, SIGNED : (tensor<32xi32>, tensor<32xi32>) -> tensor<32xi1>
    %35 = stablehlo.convert %34 : (tensor<32xi1>) -> tensor<32xi32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %36 = stablehlo.reduce(%35 init: %c) applies stablehlo.add across dimensions = [0] : (tensor<32xi32>, tensor<i32>) -> tensor<i32>
    %cst_7 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %37 = stablehlo.negate %cst_7 : tensor<f32>
    %cst_8 = stablehlo.constant dense<3.200000e+01> : tensor<f32>
    %38 = stablehlo.divide %37, %cst_8 : tensor<f32>
    %39 = stablehlo.broadcast_in_dim %38, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %40 = call @take_along_axis_1(%29#1, %39) : (tensor<32x1x1xi32>, tensor<32x1xf32>) -> tensor<32x10xf32>
    %41 = call @log_softmax_2(%27#1, %27#2, %40) : (tensor<32x10xf32>, tensor<32x1xf32>, tensor<32x10xf32>) -> tensor<32x10xf32>
    %cst_9 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %42 = stablehlo.reduce(%41 init: %cst_9) applies stablehlo.add across dimensions = [0] : (tensor<32x10xf32>, tensor<f32>) -> tensor<10xf32>
    %43 = stablehlo.reshape %42 : (tensor<10xf32>) -> tensor<1x10xf32>
    %cst_10 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %44 = stablehlo.reduce(%43 init: %cst_10) applies stablehlo.add across dimensions = [0] : (tensor<1x10xf32>, tensor<f32>) -> tensor<10xf32>
    %45 = stablehlo.dot_general %41, %22, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<32x10xf32>, tensor<32x256xf32>) -> tensor<10x256xf32>
    %46 = stablehlo.transpose %45, dims = [1, 0] : (tensor<10x256xf32>) -> tensor<256x10xf32>
    %47 = stablehlo.dot_general %41, %arg5, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<32x10xf32>, tensor<256x10xf32>) -> tensor<32x256xf32>
    %48 = stablehlo.reshape %47 : (tensor<32x256xf32>) -> tensor<32x16x4x4xf32>
    %cst_11 = stablehlo.constant dense<4.000000e+00> : tensor<f32>
    %49 = stablehlo.broadcast_in_dim %cst_11, dims = [] : (tensor<f32>) -> tensor<32x16x4x4xf32>
    %50 = stablehlo.divide %48, %49 : tensor<32x16x4x4xf32>
    %51 = stablehlo.broadcast_in_dim %50, dims = [0, 1, 2, 4] : (tensor<32x16x4x4xf32>) -> tensor<32x16x4x2x4x2xf32>
    %52 = stablehlo.reshape %51 : (tensor<32x16x4x2x4x2xf32>) -> tensor<32x16x8x8xf32>
    %cst_12 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %53 = stablehlo.broadcast_in_dim %cst_12, dims = [] : (tensor<f32>) -> tensor<32x16x8x8xf32>
    %54 = stablehlo.select %16, %52, %53 : tensor<32x16x8x8xi1>, tensor<32x16x8x8xf32>
    %cst_13 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %55 = stablehlo.reduce(%54 init: %cst_13) applies stablehlo.add across dimensions = [0, 2, 3] : (tensor<32x16x8x8xf32>, tensor<f32>) -> tensor<16xf32>
    %56 = stablehlo.reshape %55 : (tensor<16xf32>) -> tensor<1x16x1x1xf32>
    %cst_14 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %57 = stablehlo.reduce(%56 init: %cst_14) applies stablehlo.add across dimensions = [0, 2, 3] : (tensor<1x16x1x1xf32>, tensor<f32>) -> tensor<16xf32>
    %58 = stablehlo.broadcast_in_dim %57, dims = [0] : (tensor<16xf32>) -> tensor<16x1x1xf32>
    %cst_15 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %59 = stablehlo.reduce(%58 init: %cst_15) applies stablehlo.add across dimensions = [1, 2] : (tensor<16x1x1xf32>, tensor<f32>) -> tensor<16xf32>
    %60 = stablehlo.convolution(%5, %54) dim_numbers = [f, b, 0, 1]x[i, o, 0, 1]->[f, b, 0, 1], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<32x8x8x8xf32>, tensor<32x16x8x8xf32>) -> tensor<16x8x3x3xf32>
    %61 = stablehlo.reverse %arg3, dims = [2, 3] : tensor<16x8x3x3xf32>
    %62 = stablehlo.convolution(%54, %61) dim_numbers = [b, f, 0, 1]x[i, o, 0, 1]->[b, f, 0, 1], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<32x16x8x8xf32>, tensor<16x8x3x3xf32>) -> tensor<32x8x8x8xf32>
    %cst_16 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %63 = stablehlo.broadcast_in_dim %cst_16, dims = [] : (tensor<f32>) -> tensor<32x8x8x8xf32>
    %64 = stablehlo.select %7, %62, %63 : tensor<32x8x8x8xi1>, tensor<32x8x8x8xf32>
    %cst_17 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %65 = stablehlo.reduce(%64 init: %cst_17) applies stablehlo.add across dimensions = [0, 2, 3] : (tensor<32x8x8x8xf32>, tensor<f32>) -> tensor<8xf32>
    %66 = stablehlo.reshape %65 : (tensor<8xf32>) -> tensor<1x8x1x1xf32>
    %cst_18 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %67 = stablehlo.reduce(%66 init: %cst_18) applies stablehlo.add across dimensions = [0, 2, 3] : (tensor<1x8x1x1xf32>, tensor<f32>) -> tensor<8xf32>
    %68 = stablehlo.broadcast_in_dim %67, dims = [0] : (tensor<8xf32>) -> tensor<8x1x1xf32>
    %cst_19 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %69 = stablehlo.reduce(%68 init: %cst_19) applies stablehlo.add across dimensions = [1, 2] : (tensor<8x1x1xf32>, tensor<f32>) -> tensor<8xf32>
    %70 = stablehlo.convolution(%arg19, %64) dim_numbers = [f, b, 0, 1]x[i, o, 0, 1]->[f, b, 0, 1], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<32x1x8x8xf32>, tensor<32x8x8x8xf32>) -> tensor<8x1x3x3xf32>
    %cst_20 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %71 = stablehlo.broadcast_in_dim %cst_20, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %72 = stablehlo.multiply %71, %arg6 : tensor<8xf32>
    %cst_21 = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %73 = stablehlo.broadcast_in_dim %cst_21, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %74 = stablehlo.multiply %73, %69 : tensor<8xf32>
    %75 = stablehlo.add %72, %74 : tensor<8xf32>
    %cst_22 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %76 = stablehlo.broadcast_in_dim %cst_22, dims = [] : (tensor<f32>) -> tensor<8x1x3x3xf32>
    %77 = stablehlo.multiply %76, %arg7 : tensor<8x1x3x3xf32>
    %cst_23 = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %78 = stablehlo.broadcast_in_dim %cst_23, dims = [] : (tensor<f32>) -> tensor<8x1x3x3xf32>
    %79 = stablehlo.multiply %78, %70 : tensor<8x1x3x3xf32>
    %80 = stablehlo.add %77, %79 : tensor<8x1x3x3xf32>
    %cst_24 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %81 = stablehlo.broadcast_in_dim %cst_24, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %82 = stablehlo.multiply %81, %arg8 : tensor<16xf32>
    %cst_25 = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %83 = stablehlo.broadcast_in_dim %cst_25, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %84 = stablehlo.multiply %83, %59 : tensor<16xf32>
    %85 = stablehlo.add %82, %84 : tensor<16xf32>
    %cst_26 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %86 = stablehlo.broadcast_in_dim %cst_26, dims = [] : (tensor<f32>) -> tensor<16x8x3x3xf32>
    %87 = stablehlo.multiply %86, %arg9 : tensor<16x8x3x3xf32>
    %cst_27 = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %88 = stablehlo.broadcast_in_dim %cst_27, dims = [] : (tensor<f32>) -> tensor<16x8x3x3xf32>
    %89 = stablehlo.multiply %88, %60 : tensor<16x8x3x3xf32>
    %90 = stablehlo.add %87, %89 : tensor<16x8x3x3xf32>
    %cst_28 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %91 = stablehlo.broadcast_in_dim %cst_28, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %92 = stablehlo.multiply %91, %arg10 : tensor<10xf32>
    %cst_29 = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %93 = stablehlo.broadcast_in_dim %cst_29, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %94 = stablehlo.multiply %93, %44 : tensor<10xf32>
    %95 = stablehlo.add %92, %94 : tensor<10xf32>
    %cst_30 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %96 = stablehlo.broadcast_in_dim %cst_30, dims = [] : (tensor<f32>) -> tensor<256x10xf32>
    %97 = stablehlo.multiply %96, %arg11 : tensor<256x10xf32>
    %cst_31 = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %98 = stablehlo.broadcast_in_dim %cst_31, dims = [] : (tensor<f32>) -> tensor<256x10xf32>
    %99 = stablehlo.multiply %98, %46 : tensor<256x10xf32>
    %100 = stablehlo.add %97, %99 : tensor<256x10xf32>
    %cst_32 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %101 = stablehlo.broadcast_in_dim %cst_32, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %102 = stablehlo.multiply %101, %arg13 : tensor<8xf32>
    %cst_33 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %103 = stablehlo.broadcast_in_dim %cst_33, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %104 = stablehlo.multiply %103, %69 : tensor<8xf32>
    %105 = stablehlo.multiply %104, %69 : tensor<8xf32>
    %106 = stablehlo.add %102, %105 : tensor<8xf32>
    %cst_34 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %107 = stablehlo.broadcast_in_dim %cst_34, dims = [] : (tensor<f32>) -> tensor<8x1x3x3xf32>
    %108 = stablehlo.multiply %107, %arg14 : tensor<8x1x3x3xf32>
    %cst_35 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %109 = stablehlo.broadcast_in_dim %cst_35, dims = [] : (tensor<f32>) -> tensor<8x1x3x3xf32>
    %110 = stablehlo.multiply %109, %70 : tensor<8x1x3x3xf32>
    %111 = stablehlo.multiply %110, %70 : tensor<8x1x3x3xf32>
    %112 = stablehlo.add %108, %111 : tensor<8x1x3x3xf32>
    %cst_36 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %113 = stablehlo.broadcast_in_dim %cst_36, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %114 = stablehlo.multiply %113, %arg15 : tensor<16xf32>
    %cst_37 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %115 = stablehlo.broadcast_in_dim %cst_37, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %116 = stablehlo.multiply %115, %59 : tensor<16xf32>
    %117 = stablehlo.multiply %116, %59 : tensor<16xf32>
    %118 = stablehlo.add %114, %117 : tensor<16xf32>
    %cst_38 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %119 = stablehlo.broadcast_in_dim %cst_38, dims = [] : (tensor<f32>) -> tensor<16x8x3x3xf32>
    %120 = stablehlo.multiply %119, %arg16 : tensor<16x8x3x3xf32>
    %cst_39 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %121 = stablehlo.broadcast_in_dim %cst_39, dims = [] : (tensor<f32>) -> tensor<16x8x3x3xf32>
    %122 = stablehlo.multiply %121, %60 : tensor<16x8x3x3xf32>
    %123 = stablehlo.multiply %122, %60 : tensor<16x8x3x3xf32>
    %124 = stablehlo.add %120, %123 : tensor<16x8x3x3xf32>
    %cst_40 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %125 = stablehlo.broadcast_in_dim %cst_40, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %126 = stablehlo.multiply %125, %arg17 : tensor<10xf32>
    %cst_41 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %127 = stablehlo.broadcast_in_dim %cst_41, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %128 = stablehlo.multiply %127, %44 : tensor<10xf32>
    %129 = stablehlo.multiply %128, %44 : tensor<10xf32>
    %130 = stablehlo.add %126, %129 : tensor<10xf32>
    %cst_42 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %131 = stablehlo.broadcast_in_dim %cst_42, dims = [] : (tensor<f32>) -> tensor<256x10xf32>
    %132 = stablehlo.multiply %131, %arg18 : tensor<256x10xf32>
    %cst_43 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %133 = stablehlo.broadcast_in_dim %cst_43, dims = [] : (tensor<f32>) -> tensor<256x10xf32>
    %134 = stablehlo.multiply %133, %46 : tensor<256x10xf32>
    %135 = stablehlo.multiply %134, %46 : tensor<256x10xf32>
    %136 = stablehlo.add %132, %135 : tensor<256x10xf32>
    %137 = stablehlo.convert %arg22 : (tensor<i32>) -> tensor<f32>
    %cst_44 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %138 = stablehlo.power %cst_44, %137 : tensor<f32>
    %cst_45 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %139 = stablehlo.subtract %cst_45, %138 : tensor<f32>
    %140 = stablehlo.sqrt %139 : tensor<f32>
    %141 = stablehlo.multiply %arg21, %140 : tensor<f32>
    %cst_46 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %142 = stablehlo.power %cst_46, %137 : tensor<f32>
    %cst_47 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %143 = stablehlo.subtract %cst_47, %142 : tensor<f32>
    %144 = stablehlo.divide %141, %143 : tensor<f32>
    %145 = stablehlo.broadcast_in_dim %144, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %146 = stablehlo.multiply %145, %75 : tensor<8xf32>
    %147 = stablehlo.sqrt %106 : tensor<8xf32>
    %cst_48 = stablehlo.constant dense<9.99999993E-9> : tensor<f32>
    %148 = stablehlo.broadcast_in_dim %cst_48, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %149 = stablehlo.add %147, %148 : tensor<8xf32>
    %150 = stablehlo.divide %146, %149 : tensor<8xf32>
    %151 = stablehlo.subtract %arg0, %150 : tensor<8xf32>
    %152 = stablehlo.broadcast_in_dim %144, dims = [] : (tensor<f32>) -> tensor<8x1x3x3xf32>
    %153 = stablehlo.multiply %152, %80 : tensor<8x1x3x3xf32>
    %154 = stablehlo.sqrt %112 : tensor<8x1x3x3xf32>
    %cst_49 = stablehlo.constant dense<9.99999993E-9> : tensor<f32>
    %155 = stablehlo.broadcast_in_dim %cst_49, dims = [] : (tensor<f32>) -> tensor<8x1x3x3xf32>
    %156 = stablehlo.add %154, %155 : tensor<8x1x3x3xf32>
    %157 = stablehlo.divide %153, %156 : tensor<8x1x3x3xf32>
    %158 = stablehlo.subtract %arg1, %157 : tensor<8x1x3x3xf32>
    %159 = stablehlo.broadcast_in_dim %144, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %160 = stablehlo.multiply %159, %85 : tensor<16xf32>
    %161 = stablehlo.sqrt %118 : tensor<16xf32>
    %cst_50 = stablehlo.constant dense<9.99999993E-9> : tensor<f32>
    %162 = stablehlo.broadcast_in_dim %cst_50, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %163 = stablehlo.add %161, %162 : tensor<16xf32>
    %164 = stablehlo.divide %160, %163 : tensor<16xf32>
    %165 = stablehlo.subtract %arg2, %164 : tensor<16xf32>
    %166 = stablehlo.broadcast_in_dim %144, dims = [] : (tensor<f32>) -> tensor<16x8x3x3xf32>
    %167 = stablehlo.multiply %166, %90 : tensor<16x8x3x3xf32>
    %168 = stablehlo.sqrt %124 : tensor<16x8x3x3xf32>
    %cst_51 = stablehlo.constant dense<9.99999993E-9> : tensor<f32>
    %169 = stablehlo.broadcast_in_dim %cst_51, dims = [] : (tensor<f32>) -> tensor<16x8x3x3xf32>
    %170 = stablehlo.add %168, %169 : tensor<16x8x3x3xf32>
    %171 = stablehlo.divide %167, %170 : tensor<16x8x3x3xf32>
    %172 = stablehlo.subtract %arg3, %171 : tensor<16x8x3x3xf32>
    %173 = stablehlo.broadcast_in_dim %144, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %174 = stablehlo.multiply %173, %95 : tensor<10xf32>
    %175 = stablehlo.sqrt %130 : tensor<10xf32>
    %cst_52 = stablehlo.constant dense<9.99999993E-9> : tensor<f32>
    %176 = stablehlo.broadcast_in_dim %cst_52, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %177 = stablehlo.add %175, %176 : tensor<10xf32>
    %178 = stablehlo.divide %174, %177 : tensor<10xf32>
    %179 = stablehlo.subtract %arg4, %178 : tensor<10xf32>
    %180 = stablehlo.broadcast_in_dim %144, dims = [] : (tensor<f32>) -> tensor<256x10xf32>
    %181 = stablehlo.multiply %180, %100 : tensor<256x10xf32>
    %182 = stablehlo.sqrt %136 : tensor<256x10xf32>
    %cst_53 = stablehlo.constant dense<9.99999993E-9> : tensor<f32>
    %183 = stablehlo.broadcast_in_dim %cst_53, dims = [] : (tensor<f32>) -> tensor<256x10xf32>
    %184 = stablehlo.add %182, %183 : tensor<256x10xf32>
    %185 = stablehlo.divide %181, %184 : tensor<256x10xf32>
    %186 = stablehlo.subtract %arg5, %185 : tensor<256x10xf32>
    %c_54 = stablehlo.constant dense<1> : tensor<i32>
    %187 = stablehlo.add %arg12, %c_54 : tensor<i32>
    return %151, %158, %165, %172, %179, %186, %75, %80, %85, %90, %95, %100, %187, %106, %112, %118, %124, %130, %136, %32, %36 : tensor<8xf32>, tensor<8x1x3x3xf32>, tensor<16xf32>, tensor<16x8x3x3xf32>, tensor<10xf32>, tensor<256x10xf32>, tensor<8xf32>, tensor<8x1x3x3xf32>, tensor<16xf32>, tensor<16x8x3x3xf32>, tensor<10xf32>, tensor<256x10xf32>, tensor<i32>, tensor<8xf32>, tensor<8x1x3x3xf32>, tensor<16xf32>, tensor<16x8x3x3xf32>, tensor<10xf32>, tensor<256x10xf32>, tensor<f32>, tensor<i32>
  }
  func.func private @relu(%arg0: tensor<32x8x8x8xf32>) -> tensor<32x8x8x8xf32> {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<32x8x8x8xf32>
    %1 = stablehlo.maximum %arg0, %0 : tensor<32x8x8x8xf32>
    return %1 : tensor<32x8x8x8xf32>
  }
  func.func private @relu_0(%arg0: tensor<32x16x8x8xf32>) -> tensor<32x16x8x8xf32> {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<32x16x8x8xf32>
    %1 = stablehlo.maximum %arg0, %0 : tensor<32x16x8x8xf32>
    return %1 : tensor<32x16x8x8xf32>
  }
  func.func private @log_softmax(%arg0: tensor<32x10xf32>) -> (tensor<32x10xf32>, tensor<32x10xf32>, tensor<32x1xf32>) {
    %cst = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<32x10xf32>, tensor<f32>) -> tensor<32xf32>
    %cst_0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<32xf32>
    %2 = stablehlo.maximum %1, %0 : tensor<32xf32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x10xf32>
    %5 = stablehlo.subtract %arg0, %4 : tensor<32x10xf32>
    %6 = stablehlo.exponential %5 : tensor<32x10xf32>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %7 = stablehlo.reduce(%6 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<32x10xf32>, tensor<f32>) -> tensor<32xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %9 = stablehlo.log %8 : tensor<32x1xf32>
    %10 = stablehlo.broadcast_in_dim %9, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x10xf32>
    %11 = stablehlo.subtract %5, %10 : tensor<32x10xf32>
    return %11, %6, %8 : tensor<32x10xf32>, tensor<32x10xf32>, tensor<32x1xf32>
  }
  func.func private @take_along_axis(%arg0: tensor<32x10xf32>, %arg1: tensor<32x1xi32>) -> (tensor<32x1xf32>, tensor<32x1x1xi32>) {
    %c = stablehlo.constant dense<0> : tensor<i32>
    %0 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i32>) -> tensor<32x1xi32>
    %1 = stablehlo.compare LT, %arg1, %0, SIGNED : (tensor<32x1xi32>, tensor<32x1xi32>) -> tensor<32x1xi1>
    %c_0 = stablehlo.constant dense<10> : tensor<i32>
    %2 = stablehlo.broadcast_in_dim %c_0, dims = [] : (tensor<i32>) -> tensor<32x1xi32>
    %3 = stablehlo.add %arg1, %2 : tensor<32x1xi32>
    %4 = stablehlo.select %1, %3, %arg1 : tensor<32x1xi1>, tensor<32x1xi32>
    %5 = stablehlo.reshape %4 : (tensor<32x1xi32>) -> tensor<32x1x1xi32>
    %c_1 = stablehlo.constant dense<9> : tensor<1xi32>
    %c_2 = stablehlo.constant dense<0> : tensor<i32>
    %6 = stablehlo.broadcast_in_dim %c_2, dims = [] : (tensor<i32>) -> tensor<32x1x1xi32>
    %7 = stablehlo.compare GE, %5, %6, SIGNED : (tensor<32x1x1xi32>, tensor<32x1x1xi32>) -> tensor<32x1x1xi1>
    %8 = stablehlo.broadcast_in_dim %c_1, dims = [2] : (tensor<1xi32>) -> tensor<1x1x1xi32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 1, 2] : (tensor<1x1x1xi32>) -> tensor<32x1x1xi32>
    %10 = stablehlo.compare LE, %5, %9, SIGNED : (tensor<32x1x1xi32>, tensor<32x1x1xi32>) -> tensor<32x1x1xi1>
    %11 = stablehlo.and %7, %10 : tensor<32x1x1xi1>
    %c_3 = stablehlo.constant dense<true> : tensor<i1>
    %12 = stablehlo.reduce(%11 init: %c_3) applies stablehlo.and across dimensions = [2] : (tensor<32x1x1xi1>, tensor<i1>) -> tensor<32x1xi1>
    %13 = "stablehlo.gather"(%arg0, %5) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [1], operand_batching_dims = [0], start_indices_batching_dims = [0], start_index_map = [1], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}> : (tensor<32x10xf32>, tensor<32x1x1xi32>) -> tensor<32x1xf32>
    %cst = stablehlo.constant dense<0x7FC00000> : tensor<f32>
    %14 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %15 = stablehlo.select %12, %13, %14 : tensor<32x1xi1>, tensor<32x1xf32>
    return %15, %5 : tensor<32x1xf32>, tensor<32x1x1xi32>
  }
  func.func private @argmax(%arg0: tensor<32x10xf32>) -> tensor<32xi32> {
    %0 = stablehlo.iota dim = 1 : tensor<32x10xi32>
    %cst = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %1:2 = stablehlo.reduce(%arg0 init: %cst), (%0 init: %c) across dimensions = [1] : (tensor<32x10xf32>, tensor<32x10xi32>, tensor<f32>, tensor<i32>) -> (tensor<32xf32>, tensor<32xi32>)
     reducer(%arg1: tensor<f32>, %arg3: tensor<f32>) (%arg2: tensor<i32>, %arg4: tensor<i32>)  {
      %2 = stablehlo.compare GT, %arg1, %arg3, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %3 = stablehlo.compare NE, %arg1, %arg1, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %4 = stablehlo.or %2, %3 : tensor<i1>
      %5 = stablehlo.compare EQ, %arg1, %arg3, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %6 = stablehlo.compare LT, %arg2, %arg4, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %7 = stablehlo.and %5, %6 : tensor<i1>
      %8 = stablehlo.or %4, %7 : tensor<i1>
      %9 = stablehlo.select %4, %arg1, %arg3 : tensor<i1>, tensor<f32>
      %10 = stablehlo.select %8, %arg2, %arg4 : tensor<i1>, tensor<i32>
      stablehlo.return %9, %10 : tensor<f32>, tensor<i32>
    }
    return %1#1 : tensor<32xi32>
  }
  func.func private @take_along_axis_1(%arg0: tensor<32x1x1xi32>, %arg1: tensor<32x1xf32>) -> tensor<32x10xf32> {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<32x10xf32>
    %1 = "stablehlo.scatter"(%0, %arg0, %arg1) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [1], input_batching_dims = [0], scatter_indices_batching_dims = [0], scatter_dims_to_operand_dims = [1], index_vector_dim = 2>, unique_indices = false}> ({
    ^bb0(%arg2: tensor<f32>, %arg3: tensor<f32>):
      %2 = stablehlo.add %arg2, %arg3 : tensor<f32>
      stablehlo.return %2 : tensor<f32>
    }) : (tensor<32x10xf32>, tensor<32x1x1xi32>, tensor<32x1xf32>) -> tensor<32x10xf32>
    return %1 : tensor<32x10xf32>
  }
  func.func private @log_softmax_2(%arg0: tensor<32x10xf32>, %arg1: tensor<32x1xf32>, %arg2: tensor<32x10xf32>) -> tensor<32x10xf32> {
    %0 = stablehlo.negate %arg2 : tensor<32x10xf32>
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %1 = stablehlo.reduce(%0 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<32x10xf32>, tensor<f32>) -> tensor<32xf32>
    %2 = stablehlo.reshape %1 : (tensor<32xf32>) -> tensor<32x1xf32>
    %3 = stablehlo.divide %2, %arg1 : tensor<32x1xf32>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %4 = stablehlo.reduce(%3 init: %cst_0) applies stablehlo.add across dimensions = [1] : (tensor<32x1xf32>, tensor<f32>) -> tensor<32xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<32xf32>) -> tensor<32x10xf32>
    %6 = stablehlo.multiply %5, %arg0 : tensor<32x10xf32>
    %7 = stablehlo.add %arg2, %6 : tensor<32x10xf32>
    return %7 : tensor<32x10xf32>
  }
}
