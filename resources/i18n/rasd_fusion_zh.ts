<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh" sourcelanguage="en">
<context>
    <name>RasdFusion</name>
    <message>
        <source>Assess a fused layer</source>
        <translation>评价融合图层</translation>
    </message>
    <message>
        <source>Measures a fused raster against a reference, or against its two inputs.</source>
        <translation>用参考影像或两幅输入影像衡量融合栅格的质量。</translation>
    </message>
    <message>
        <source>quality,accuracy,error,reference,PSNR,SAM,spectral angle,ERGAS,SSIM,UIQI,Q2n,QNR,RMSE,correlation,consistency,report,hyperspectral,fusion</source>
        <translation>质量,精度,误差,参考,光谱角,相关系数,一致性,报告,高光谱,融合,评价</translation>
    </message>
    <message>
        <source>{} error</source>
        <translation>{} 误差</translation>
    </message>
    <message>
        <source>{} spectral angle</source>
        <translation>{} 光谱角</translation>
    </message>
    <message>
        <source>PSNR (dB)</source>
        <translation>PSNR（dB）</translation>
    </message>
    <message>
        <source>Spectral angle (degrees)</source>
        <translation>光谱角（度）</translation>
    </message>
    <message>
        <source>ERGAS</source>
        <translation>ERGAS</translation>
    </message>
    <message>
        <source>SSIM</source>
        <translation>SSIM</translation>
    </message>
    <message>
        <source>UIQI</source>
        <translation>UIQI</translation>
    </message>
    <message>
        <source>Q2ⁿ</source>
        <translation>Q2ⁿ</translation>
    </message>
    <message>
        <source>RMSE</source>
        <translation>RMSE</translation>
    </message>
    <message>
        <source>Correlation</source>
        <translation>相关系数</translation>
    </message>
    <message>
        <source>Peak used</source>
        <translation>所用峰值</translation>
    </message>
    <message>
        <source>Pixels compared with the reference</source>
        <translation>与参考比较的像元数</translation>
    </message>
    <message>
        <source>Spectral distortion D_λ</source>
        <translation>光谱失真 D_λ</translation>
    </message>
    <message>
        <source>Spatial distortion D_s</source>
        <translation>空间失真 D_s</translation>
    </message>
    <message>
        <source>QNR</source>
        <translation>QNR</translation>
    </message>
    <message>
        <source>Relative RMSE to the hyperspectral input</source>
        <translation>相对高光谱输入的 RMSE</translation>
    </message>
    <message>
        <source>Relative RMSE to the multispectral input</source>
        <translation>相对多光谱输入的 RMSE</translation>
    </message>
    <message>
        <source>Ratio used</source>
        <translation>所用分辨率比</translation>
    </message>
    <message>
        <source>A report</source>
        <translation>报告</translation>
    </message>
    <message>
        <source>Fused layer</source>
        <translation>融合图层</translation>
    </message>
    <message>
        <source>Reference</source>
        <translation>参考影像</translation>
    </message>
    <message>
        <source>Hyperspectral layer that was fused</source>
        <translation>参与融合的高光谱图层</translation>
    </message>
    <message>
        <source>Multispectral layer that was fused</source>
        <translation>参与融合的多光谱图层</translation>
    </message>
    <message>
        <source>Peak of PSNR and SSIM</source>
        <translation>PSNR 和 SSIM 的峰值</translation>
    </message>
    <message>
        <source>Peak (for peak “value”)</source>
        <translation>峰值（用于峰值“value”）</translation>
    </message>
    <message>
        <source>Error map</source>
        <translation>误差图</translation>
    </message>
    <message>
        <source>Spectral angle map</source>
        <translation>光谱角图</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>报告</translation>
    </message>
    <message>
        <source>Ratio for ERGAS (empty: that of the hyperspectral layer)</source>
        <translation>ERGAS 的分辨率比（留空：取高光谱图层的分辨率比）</translation>
    </message>
    <message>
        <source>Figures by band (JSON)</source>
        <translation>逐波段指标（JSON）</translation>
    </message>
    <message>
        <source>Map confidence and routing of a model</source>
        <translation>绘制模型的置信度与路由图</translation>
    </message>
    <message>
        <source>Shows which branch of the network each pixel takes, by stage and scale.</source>
        <translation>按阶段和尺度显示每个像元经过网络的哪个分支。</translation>
    </message>
    <message>
        <source>hyperspectral,multispectral,fusion,confidence,routing,low rank,attention,explain,RASD-FuNet,model</source>
        <translation>高光谱,多光谱,融合,置信度,路由,低秩,注意力,解释,模型</translation>
    </message>
    <message>
        <source>{} confidence at r = {}</source>
        <translation>{} 置信度，r = {}</translation>
    </message>
    <message>
        <source>{} routing at r = {}</source>
        <translation>{} 路由，r = {}</translation>
    </message>
    <message>
        <source>Routing ratios, with commas between</source>
        <translation>路由比例，以逗号分隔</translation>
    </message>
    <message>
        <source>Extent to map</source>
        <translation>制图范围</translation>
    </message>
    <message>
        <source>Add the maps to the project</source>
        <translation>将结果图添加到工程</translation>
    </message>
    <message>
        <source>Folder of the maps</source>
        <translation>结果图文件夹</translation>
    </message>
    <message>
        <source>Confidence, a layer a ratio</source>
        <translation>置信度，每个比例一个图层</translation>
    </message>
    <message>
        <source>Routing, a layer a ratio</source>
        <translation>路由，每个比例一个图层</translation>
    </message>
    <message>
        <source>Confidence at the first ratio</source>
        <translation>第一个比例的置信度</translation>
    </message>
    <message>
        <source>Routing at the first ratio</source>
        <translation>第一个比例的路由</translation>
    </message>
    <message>
        <source>Share of points in the low-rank branch, by ratio</source>
        <translation>各比例下进入低秩分支的点的占比</translation>
    </message>
    <message>
        <source>Give them with commas between, as in 0.3, 0.5, 0.9.</source>
        <translation>请以逗号分隔，例如 0.3, 0.5, 0.9。</translation>
    </message>
    <message>
        <source>The routing ratios “{}” are not all numbers.</source>
        <translation>路由比例“{}”并非全是数字。</translation>
    </message>
    <message>
        <source>Derive components and a vegetation index</source>
        <translation>计算主成分与植被指数</translation>
    </message>
    <message>
        <source>Principal components, and a normalised difference of two wavelengths.</source>
        <translation>主成分，以及两个波长的归一化差值。</translation>
    </message>
    <message>
        <source>hyperspectral,principal components,PCA,NDVI,vegetation index,wavelength</source>
        <translation>高光谱,主成分,植被指数,波长,归一化</translation>
    </message>
    <message>
        <source>{} components</source>
        <translation>{} 主成分</translation>
    </message>
    <message>
        <source>{} index</source>
        <translation>{} 指数</translation>
    </message>
    <message>
        <source>First wavelength of the index (nm)</source>
        <translation>指数的第一波长（nm）</translation>
    </message>
    <message>
        <source>Second wavelength of the index (nm)</source>
        <translation>指数的第二波长（nm）</translation>
    </message>
    <message>
        <source>Hyperspectral layer</source>
        <translation>高光谱图层</translation>
    </message>
    <message>
        <source>Components</source>
        <translation>主成分数</translation>
    </message>
    <message>
        <source>Principal components</source>
        <translation>主成分</translation>
    </message>
    <message>
        <source>Vegetation index</source>
        <translation>植被指数</translation>
    </message>
    <message>
        <source>Share of the variance of each component</source>
        <translation>各主成分的方差占比</translation>
    </message>
    <message>
        <source>Bands of the index</source>
        <translation>指数所用波段</translation>
    </message>
    <message>
        <source>RASD Fusion: {}</source>
        <translation>RASD Fusion：{}</translation>
    </message>
    <message>
        <source>A style was not saved: {}</source>
        <translation>样式未能保存：{}</translation>
    </message>
    <message>
        <source>Side of the blur's kernel (pixels)</source>
        <translation>模糊核边长（像元）</translation>
    </message>
    <message>
        <source>Tile size (fine pixels)</source>
        <translation>分块大小（细像元）</translation>
    </message>
    <message>
        <source>Model file (empty: the one that comes with the plugin)</source>
        <translation>模型文件（留空：随插件附带的模型）</translation>
    </message>
    <message>
        <source>Share of points routed to the low-rank branch</source>
        <translation>送入低秩分支的点的比例（路由比例）</translation>
    </message>
    <message>
        <source>Routing: share as stated, or by content</source>
        <translation>路由：按给定比例，或按内容</translation>
    </message>
    <message>
        <source>Standard deviation of the sensor's blur (coarse pixels, empty: automatic)</source>
        <translation>传感器点扩散函数的标准差（粗像元，留空则自动确定）</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>计算设备</translation>
    </message>
    <message>
        <source>Random seed</source>
        <translation>随机种子</translation>
    </message>
    <message>
        <source>Hyperspectral layer (coarse)</source>
        <translation>高光谱图层（粗分辨率）</translation>
    </message>
    <message>
        <source>Multispectral layer (fine)</source>
        <translation>多光谱图层（细分辨率）</translation>
    </message>
    <message>
        <source>Fuse hyperspectral and multispectral</source>
        <translation>融合高光谱与多光谱影像</translation>
    </message>
    <message>
        <source>Gives a hyperspectral raster the resolution of a multispectral one.</source>
        <translation>使高光谱栅格具有多光谱栅格的空间分辨率。</translation>
    </message>
    <message>
        <source>hyperspectral,multispectral,fusion,fuse,pansharpening,hypersharpening,super-resolution,sharpen,deep learning,RASD-FuNet,torch</source>
        <translation>高光谱,多光谱,融合,全色锐化,超分辨率,锐化,深度学习,遥感</translation>
    </message>
    <message>
        <source>{} uncertainty</source>
        <translation>{} 不确定性</translation>
    </message>
    <message>
        <source>{} fused</source>
        <translation>{} 融合</translation>
    </message>
    <message>
        <source>{} confidence</source>
        <translation>{} 置信度</translation>
    </message>
    <message>
        <source>Fuse a folder of pairs</source>
        <translation>融合文件夹中的影像对</translation>
    </message>
    <message>
        <source>Fuses all pairs of files of the same name by one model.</source>
        <translation>用一个模型融合所有同名文件对。</translation>
    </message>
    <message>
        <source>hyperspectral,multispectral,fusion,folder,batch,many,model,RASD-FuNet</source>
        <translation>高光谱,多光谱,融合,文件夹,批处理,批量,模型</translation>
    </message>
    <message>
        <source>None of the pairs could be fused; the log says why.</source>
        <translation>没有一对影像能够融合；原因见日志。</translation>
    </message>
    <message>
        <source>Pair {} of {}: {}</source>
        <translation>第 {} 对，共 {} 对：{}</translation>
    </message>
    <message>
        <source>The folder cannot be used ({}); choose another one.</source>
        <translation>无法使用该文件夹（{}）；请另选一个。</translation>
    </message>
    <message>
        <source>Folder of hyperspectral files</source>
        <translation>高光谱文件所在文件夹</translation>
    </message>
    <message>
        <source>Folder of multispectral files</source>
        <translation>多光谱文件所在文件夹</translation>
    </message>
    <message>
        <source>Folder of fused files</source>
        <translation>融合结果文件夹</translation>
    </message>
    <message>
        <source>Pairs that were fused</source>
        <translation>已融合的影像对数</translation>
    </message>
    <message>
        <source>Pairs that could not be fused</source>
        <translation>未能融合的影像对数</translation>
    </message>
    <message>
        <source>Name the two files of a pair alike, as in hs/field1.tif and ms/field1.tif.</source>
        <translation>请为一对影像的两个文件取相同的名称，例如 hs/field1.tif 和 ms/field1.tif。</translation>
    </message>
    <message>
        <source>Choose another folder for the fused files.</source>
        <translation>请为融合结果选择另一个文件夹。</translation>
    </message>
    <message>
        <source>Keep one of them there.</source>
        <translation>请只保留其中一个。</translation>
    </message>
    <message>
        <source>Take it out of the folder.</source>
        <translation>请将其移出该文件夹。</translation>
    </message>
    <message>
        <source>No raster in {} bears the same name as one in {}.</source>
        <translation>{} 中没有栅格与 {} 中的栅格同名。</translation>
    </message>
    <message>
        <source>The folder {} holds inputs, which are never overwritten.</source>
        <translation>文件夹 {} 中有输入文件，输入文件绝不会被覆盖。</translation>
    </message>
    <message>
        <source>{} cannot be opened as a raster.</source>
        <translation>{} 无法作为栅格打开。</translation>
    </message>
    <message>
        <source>Two rasters in {} are called {}.</source>
        <translation>{} 中有两个栅格名为 {}。</translation>
    </message>
    <message>
        <source>Routing ratio used</source>
        <translation>所用路由比例</translation>
    </message>
    <message>
        <source>Training steps</source>
        <translation>训练步数</translation>
    </message>
    <message>
        <source>A model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Model file (for model “file”)</source>
        <translation>模型文件（用于模型“file”）</translation>
    </message>
    <message>
        <source>Extent to fuse</source>
        <translation>融合范围</translation>
    </message>
    <message>
        <source>Fused</source>
        <translation>融合结果</translation>
    </message>
    <message>
        <source>Confidence</source>
        <translation>置信度</translation>
    </message>
    <message>
        <source>Uncertainty</source>
        <translation>不确定性</translation>
    </message>
    <message>
        <source>Trained model (of model “scene”)</source>
        <translation>训练好的模型（模型“scene”）</translation>
    </message>
    <message>
        <source>Training time at most (minutes)</source>
        <translation>训练时间上限（分钟）</translation>
    </message>
    <message>
        <source>Training steps (in place of the time)</source>
        <translation>训练步数（代替时间）</translation>
    </message>
    <message>
        <source>Address of a Dask scheduler (empty: this machine)</source>
        <translation>Dask 调度器地址（留空：本机）</translation>
    </message>
    <message>
        <source>Folder or URL that all Dask workers share (empty: beside the output)</source>
        <translation>所有 Dask 工作节点共享的文件夹或 URL（留空：输出旁）</translation>
    </message>
    <message>
        <source>0 uses attention alone, 1 the low-rank branch alone, 0.5 is a good start.</source>
        <translation>0 表示只用注意力，1 表示只用低秩分支，可从 0.5 开始。</translation>
    </message>
    <message>
        <source>The routing ratio is {:g}; it is a share of the points, from 0 to 1.</source>
        <translation>路由比例为 {:g}；它是点的占比，应在 0 到 1 之间。</translation>
    </message>
    <message>
        <source>Save it to a file (right-click the layer, Export, Save As…) and choose that file.</source>
        <translation>请将其保存为文件（右键单击图层，导出，另存为…），再选择该文件。</translation>
    </message>
    <message>
        <source>The layer “{}” comes from a service ({}), not from a file on this computer.</source>
        <translation>图层“{}”来自服务（{}），而不是本机上的文件。</translation>
    </message>
    <message>
        <source>The layer “{}” comes from a web service.</source>
        <translation>图层“{}”来自网络服务。</translation>
    </message>
    <message>
        <source>The layer “{}” is held in QGIS's memory only.</source>
        <translation>图层“{}”仅存在于 QGIS 的内存中。</translation>
    </message>
    <message>
        <source>The output {} is open as the layer “{}”, so Windows does not let it be replaced.</source>
        <translation>输出 {} 已作为图层“{}”打开，因此 Windows 不允许替换它。</translation>
    </message>
    <message>
        <source>Remove that layer, or choose another file name.</source>
        <translation>请移除该图层，或选择另一个文件名。</translation>
    </message>
    <message>
        <source>Choose another file name.</source>
        <translation>请选择另一个文件名。</translation>
    </message>
    <message>
        <source>Choose a file name for each.</source>
        <translation>请分别选择文件名。</translation>
    </message>
    <message>
        <source>{} is written as {}, not as {}.</source>
        <translation>{}应保存为 {}，而不是 {}。</translation>
    </message>
    <message>
        <source>Choose a file name that ends in {}.</source>
        <translation>请选择以 {} 结尾的文件名。</translation>
    </message>
    <message>
        <source>The output {} is one of the inputs, which are never overwritten.</source>
        <translation>输出 {} 是输入之一，输入文件绝不会被覆盖。</translation>
    </message>
    <message>
        <source>Two outputs would be written to {}.</source>
        <translation>两个输出将写入同一文件 {}。</translation>
    </message>
    <message>
        <source>Set up the engine</source>
        <translation>安装计算引擎</translation>
    </message>
    <message>
        <source>Makes or repairs the engine that computes the fusion.</source>
        <translation>安装或修复进行融合计算的引擎。</translation>
    </message>
    <message>
        <source>install,repair,torch,pytorch,environment,venv,dependencies</source>
        <translation>安装,修复,环境,虚拟环境,依赖,引擎</translation>
    </message>
    <message>
        <source>The engine's place: {}</source>
        <translation>引擎位置：{}</translation>
    </message>
    <message>
        <source>Folder of wheels, to set up without a network</source>
        <translation>wheel 文件夹（用于离线安装）</translation>
    </message>
    <message>
        <source>Make it again though it looks complete</source>
        <translation>即使看似完整也重新安装</translation>
    </message>
    <message>
        <source>Folder of the engine</source>
        <translation>引擎文件夹</translation>
    </message>
    <message>
        <source>Versions and devices</source>
        <translation>版本与设备</translation>
    </message>
    <message>
        <source>Self-test of each device</source>
        <translation>各设备的自检结果</translation>
    </message>
    <message>
        <source>Fuse and assess</source>
        <translation>融合并评价</translation>
    </message>
    <message>
        <source>Fuse, then vegetation index and principal components</source>
        <translation>融合，再计算植被指数与主成分</translation>
    </message>
    <message>
        <source>Simulate, fuse, assess</source>
        <translation>模拟、融合、评价</translation>
    </message>
    <message>
        <source>Fuse a folder of pairs, trained once</source>
        <translation>融合文件夹中的影像对（只训练一次）</translation>
    </message>
    <message>
        <source>Simulate a hyperspectral–multispectral pair</source>
        <translation>模拟高光谱–多光谱影像对</translation>
    </message>
    <message>
        <source>Degrades a reference into a pair whose fusion is known.</source>
        <translation>将参考影像退化为融合结果已知的影像对。</translation>
    </message>
    <message>
        <source>hyperspectral,multispectral,simulation,degrade,Wald,PSF,MTF,blur,decimate,spectral response,Sentinel-2,Landsat,noise,SNR,reference,benchmark</source>
        <translation>高光谱,多光谱,模拟,退化,模糊,降采样,点扩散函数,光谱响应,噪声,信噪比,参考,基准</translation>
    </message>
    <message>
        <source>{} hyperspectral</source>
        <translation>{} 高光谱</translation>
    </message>
    <message>
        <source>{} multispectral</source>
        <translation>{} 多光谱</translation>
    </message>
    <message>
        <source>Standard deviation of the blur (coarse pixels)</source>
        <translation>模糊的标准差（粗像元）</translation>
    </message>
    <message>
        <source>MTF at Nyquist</source>
        <translation>奈奎斯特频率处的 MTF</translation>
    </message>
    <message>
        <source>Bands of the multispectral layer</source>
        <translation>多光谱图层的波段数</translation>
    </message>
    <message>
        <source>Names of the multispectral bands</source>
        <translation>多光谱波段名称</translation>
    </message>
    <message>
        <source>Reference (hyperspectral, fine)</source>
        <translation>参考影像（高光谱，细分辨率）</translation>
    </message>
    <message>
        <source>Ratio</source>
        <translation>分辨率比</translation>
    </message>
    <message>
        <source>Signal-to-noise ratio of the hyperspectral layer (dB)</source>
        <translation>高光谱图层的信噪比（dB）</translation>
    </message>
    <message>
        <source>Signal-to-noise ratio of the multispectral layer (dB)</source>
        <translation>多光谱图层的信噪比（dB）</translation>
    </message>
    <message>
        <source>Extent to use</source>
        <translation>使用范围</translation>
    </message>
    <message>
        <source>Response of the multispectral sensor</source>
        <translation>多光谱传感器的光谱响应</translation>
    </message>
    <message>
        <source>Sensor (for response “sensor”)</source>
        <translation>传感器（用于响应“sensor”）</translation>
    </message>
    <message>
        <source>Table (for response “table”)</source>
        <translation>表格（用于响应“table”）</translation>
    </message>
    <message>
        <source>Bands of the sensor or table, such as B2,B3,B4</source>
        <translation>传感器或表格中的波段，例如 B2,B3,B4</translation>
    </message>
    <message>
        <source>Number of bands (for response “random”)</source>
        <translation>波段数（用于响应“random”）</translation>
    </message>
    <message>
        <source>Hyperspectral</source>
        <translation>高光谱</translation>
    </message>
    <message>
        <source>Multispectral</source>
        <translation>多光谱</translation>
    </message>
    <message>
        <source>MTF at Nyquist (in place of the standard deviation)</source>
        <translation>奈奎斯特频率处的 MTF（代替标准差）</translation>
    </message>
    <message>
        <source>Phase</source>
        <translation>采样相位</translation>
    </message>
    <message>
        <source>Tables (*.csv *.txt)</source>
        <translation>表格 (*.csv *.txt)</translation>
    </message>
    <message>
        <source>attention branch</source>
        <translation>注意力分支</translation>
    </message>
    <message>
        <source>low-rank branch</source>
        <translation>低秩分支</translation>
    </message>
    <message>
        <source>Train a fusion model</source>
        <translation>训练融合模型</translation>
    </message>
    <message>
        <source>Trains a model that fuses pairs of two sensors.</source>
        <translation>训练用于融合两种传感器影像对的模型。</translation>
    </message>
    <message>
        <source>hyperspectral,multispectral,fusion,training,deep learning,neural network,model,Wald,CAVE,ICVL,KAIST,benchmark,RASD-FuNet,torch</source>
        <translation>高光谱,多光谱,融合,训练,深度学习,神经网络,模型,基准</translation>
    </message>
    <message>
        <source>Step of the weights kept</source>
        <translation>所保留权重的训练步</translation>
    </message>
    <message>
        <source>Error on pixels kept out, over the start's</source>
        <translation>留出像元上的误差与起始影像误差之比</translation>
    </message>
    <message>
        <source>Images trained on</source>
        <translation>训练所用影像数</translation>
    </message>
    <message>
        <source>References (hyperspectral, fine)</source>
        <translation>参考影像（高光谱，细分辨率）</translation>
    </message>
    <message>
        <source>Folder of a benchmark</source>
        <translation>基准数据集文件夹</translation>
    </message>
    <message>
        <source>Layout of the benchmark</source>
        <translation>基准数据集的布局</translation>
    </message>
    <message>
        <source>Hyperspectral layers of ready pairs</source>
        <translation>现成影像对的高光谱图层</translation>
    </message>
    <message>
        <source>Multispectral layers of ready pairs</source>
        <translation>现成影像对的多光谱图层</translation>
    </message>
    <message>
        <source>Ratio (empty for the preset's)</source>
        <translation>分辨率比（留空则用预设值）</translation>
    </message>
    <message>
        <source>Settings of training</source>
        <translation>训练设置</translation>
    </message>
    <message>
        <source>Training time (minutes, empty for the preset's)</source>
        <translation>训练时间（分钟，留空则用预设值）</translation>
    </message>
    <message>
        <source>Trained model</source>
        <translation>训练好的模型</translation>
    </message>
    <message>
        <source>Go on with a training that was stopped</source>
        <translation>继续中断的训练</translation>
    </message>
    <message>
        <source>Loss curve (table)</source>
        <translation>损失曲线（表格）</translation>
    </message>
    <message>
        <source>Loss curve (picture)</source>
        <translation>损失曲线（图片）</translation>
    </message>
    <message>
        <source>Check that the file exists, is complete, and opens in QGIS.</source>
        <translation>请检查文件是否存在、是否完整，以及能否在 QGIS 中打开。</translation>
    </message>
    <message>
        <source>{}: “{}” cannot be opened as a raster.</source>
        <translation>{}：“{}”无法作为栅格打开。</translation>
    </message>
    <message>
        <source>Choose one of these.</source>
        <translation>请从中选择一项。</translation>
    </message>
    <message>
        <source>{}: “{}” is none of {}.</source>
        <translation>{}：“{}”不在以下选项之中：{}。</translation>
    </message>
    <message>
        <source>Reading wavelengths</source>
        <translation>正在读取波长</translation>
    </message>
    <message>
        <source>Spectra are shown by band number: wavelengths are the engine's to tell. {}</source>
        <translation>光谱按波段号显示：波长需由引擎读取。{}</translation>
    </message>
    <message>
        <source>RASD Fusion computes with an engine of its own, which is set up once.</source>
        <translation>RASD Fusion 使用自己的计算引擎，只需安装一次。</translation>
    </message>
    <message>
        <source>Fuse hyperspectral and multispectral…</source>
        <translation>融合高光谱与多光谱影像…</translation>
    </message>
    <message>
        <source>Try it on a sample scene</source>
        <translation>用示例影像试一试</translation>
    </message>
    <message>
        <source>Spectral inspector</source>
        <translation>光谱查看器</translation>
    </message>
    <message>
        <source>Routing explorer</source>
        <translation>路由浏览器</translation>
    </message>
    <message>
        <source>Engine: set up, test, diagnose…</source>
        <translation>引擎：安装、测试、诊断…</translation>
    </message>
    <message>
        <source>Sample scene: Indian Pines (AVIRIS), CC BY 3.0.</source>
        <translation>示例影像：Indian Pines（AVIRIS），CC BY 3.0。</translation>
    </message>
    <message>
        <source>Set up…</source>
        <translation>安装…</translation>
    </message>
    <message>
        <source>wavelengths unknown</source>
        <translation>波长未知</translation>
    </message>
    <message>
        <source>1 band</source>
        <translation>1 个波段</translation>
    </message>
    <message>
        <source>no CRS</source>
        <translation>无坐标参照系</translation>
    </message>
    <message>
        <source>{:.0f}–{:.0f} nm</source>
        <translation>{:.0f}–{:.0f} nm</translation>
    </message>
    <message>
        <source>pixel {} {}</source>
        <translation>像元 {} {}</translation>
    </message>
    <message>
        <source>{} × {} pixels</source>
        <translation>{} × {} 像元</translation>
    </message>
    <message>
        <source>own CRS</source>
        <translation>自定义坐标参照系</translation>
    </message>
    <message>
        <source>taken {}</source>
        <translation>拍摄于 {}</translation>
    </message>
    <message>
        <source>{} bands</source>
        <translation>{} 个波段</translation>
    </message>
    <message>
        <source>Reproject the hyperspectral layer first, then look again.</source>
        <translation>请先将高光谱图层重投影，然后重新检查。</translation>
    </message>
    <message>
        <source>Check that GDAL's provider is switched on in Processing's options.</source>
        <translation>请检查“处理”选项中是否启用了 GDAL 提供者。</translation>
    </message>
    <message>
        <source>{} (moved)</source>
        <translation>{}（已平移）</translation>
    </message>
    <message>
        <source>The moved copy {} cannot be opened.</source>
        <translation>无法打开平移后的副本 {}。</translation>
    </message>
    <message>
        <source>{} and {} lie in different CRSs.</source>
        <translation>{} 与 {} 的坐标参照系不同。</translation>
    </message>
    <message>
        <source>The moved copy of {} could not be made ({}).</source>
        <translation>无法生成 {} 的平移副本（{}）。</translation>
    </message>
    <message>
        <source>Preview…</source>
        <translation>预览…</translation>
    </message>
    <message>
        <source>Fuse what the map shows, in seconds</source>
        <translation>数秒内融合地图当前显示的范围</translation>
    </message>
    <message>
        <source>The one that comes with the plugin (any sensors, seconds)</source>
        <translation>插件自带的模型（适用于任意传感器，数秒完成）</translation>
    </message>
    <message>
        <source>Train on this pair of layers (minutes)</source>
        <translation>用这对图层训练（数分钟）</translation>
    </message>
    <message>
        <source>Use a trained model from a file</source>
        <translation>使用文件中训练好的模型</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>引擎</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>图层</translation>
    </message>
    <message>
        <source>Looking at the layers…</source>
        <translation>正在查看图层…</translation>
    </message>
    <message>
        <source>no raster chosen</source>
        <translation>未选择栅格</translation>
    </message>
    <message>
        <source>Set up the engine…</source>
        <translation>安装引擎…</translation>
    </message>
    <message>
        <source>Fix</source>
        <translation>修正</translation>
    </message>
    <message>
        <source>Choose: {}</source>
        <translation>请选择：{}</translation>
    </message>
    <message>
        <source>Looking at {} and {}</source>
        <translation>正在查看 {} 和 {}</translation>
    </message>
    <message>
        <source>point</source>
        <translation>点</translation>
    </message>
    <message>
        <source>polygon</source>
        <translation>多边形</translation>
    </message>
    <message>
        <source>Layers whose spectra are shown</source>
        <translation>显示其光谱的图层</translation>
    </message>
    <message>
        <source>x, y in the map's CRS</source>
        <translation>地图坐标参照系中的 x, y</translation>
    </message>
    <message>
        <source>Coordinates of a point to add</source>
        <translation>要添加的点的坐标</translation>
    </message>
    <message>
        <source>Save PNG…</source>
        <translation>保存 PNG…</translation>
    </message>
    <message>
        <source>Save spectra</source>
        <translation>保存光谱</translation>
    </message>
    <message>
        <source>Save the plot</source>
        <translation>保存曲线图</translation>
    </message>
    <message>
        <source>Pick points</source>
        <translation>选取点</translation>
    </message>
    <message>
        <source>Draw a polygon</source>
        <translation>绘制多边形</translation>
    </message>
    <message>
        <source>Pick points on the map, or draw a polygon; spectra show here.</source>
        <translation>在地图上选取点或绘制多边形，光谱将显示在此处。</translation>
    </message>
    <message>
        <source>{} cannot be written ({}); choose another place.</source>
        <translation>无法写入 {}（{}）；请另选位置。</translation>
    </message>
    <message>
        <source>{} spectra copied as a table.</source>
        <translation>已将 {} 条光谱复制为表格。</translation>
    </message>
    <message>
        <source>Give two numbers with a comma between: x, y.</source>
        <translation>请输入以逗号分隔的两个数：x, y。</translation>
    </message>
    <message>
        <source>Clear</source>
        <translation>清除</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Save CSV…</source>
        <translation>保存 CSV…</translation>
    </message>
    <message>
        <source>{} ({} bands)</source>
        <translation>{}（{} 个波段）</translation>
    </message>
    <message>
        <source>Saved as {}.</source>
        <translation>已保存为 {}。</translation>
    </message>
    <message>
        <source>No layer has data at {}.</source>
        <translation>没有图层在 {} 处有数据。</translation>
    </message>
    <message>
        <source>{} × {} guide pixels are shared: {} of the hyperspectral layer, {} of the guide.</source>
        <translation>共有 {} × {} 个多光谱像元重叠：占高光谱图层的 {}，占多光谱图层的 {}。</translation>
    </message>
    <message>
        <source>One hyperspectral pixel covers {:.3g} × {:.3g} guide pixels.</source>
        <translation>一个高光谱像元覆盖 {:.3g} × {:.3g} 个多光谱像元。</translation>
    </message>
    <message>
        <source>CRS</source>
        <translation>坐标参照系</translation>
    </message>
    <message>
        <source>Shift</source>
        <translation>位移</translation>
    </message>
    <message>
        <source>The hyperspectral layer lies {:.1f} guide pixels {} and {:.1f} {} of the guide.</source>
        <translation>高光谱图层相对多光谱图层偏移 {:.1f} 个多光谱像元（{}）和 {:.1f} 个（{}）。</translation>
    </message>
    <message>
        <source>Values</source>
        <translation>数值</translation>
    </message>
    <message>
        <source>Bad bands</source>
        <translation>坏波段</translation>
    </message>
    <message>
        <source>{} Noise by the look of them, and not flagged: {}.</source>
        <translation>{} 看似噪声但未标记：{}。</translation>
    </message>
    <message>
        <source>Nodata</source>
        <translation>无数据值</translation>
    </message>
    <message>
        <source>Spectral range</source>
        <translation>光谱范围</translation>
    </message>
    <message>
        <source>The guide sees nothing of {} of {} bands ({} nm): their details are inferred.</source>
        <translation>{} 个波段（共 {} 个，{} nm）不在多光谱影像的光谱范围内：其细节为推断所得。</translation>
    </message>
    <message>
        <source>Pair</source>
        <translation>影像对</translation>
    </message>
    <message>
        <source>Overlap</source>
        <translation>重叠</translation>
    </message>
    <message>
        <source>One hyperspectral pixel covers {:.3g} × {:.3g} guide pixels: beyond a ratio of {:.0f} the details are the guide's alone.</source>
        <translation>一个高光谱像元覆盖 {:.3g} × {:.3g} 个多光谱像元：超过分辨率比 {:.0f} 后，细节仅来自多光谱影像。</translation>
    </message>
    <message>
        <source>Grid ratio</source>
        <translation>格网分辨率比</translation>
    </message>
    <message>
        <source>The grids differ ({} and {}): the hyperspectral layer is resampled (cubic).</source>
        <translation>两者格网不同（{} 与 {}）：高光谱图层将被重采样（三次卷积）。</translation>
    </message>
    <message>
        <source>The two look too different at the coarse scale to tell a shift between them.</source>
        <translation>两幅影像在粗尺度上差异过大，无法判断其间的位移。</translation>
    </message>
    <message>
        <source>The two lie on each other within {:.1f} guide pixels.</source>
        <translation>两幅影像的位置相差不超过 {:.1f} 个多光谱像元。</translation>
    </message>
    <message>
        <source>Add a copy moved back</source>
        <translation>添加平移校正后的副本</translation>
    </message>
    <message>
        <source>The hyperspectral bands explain only {} of what the guide shows ({}): the scenes may differ in date, clouds or place.</source>
        <translation>高光谱波段只能解释多光谱影像内容的 {}（{}）：两景可能日期、云况或地点不同。</translation>
    </message>
    <message>
        <source>The scales are {:.3g} times apart ({}), which does no harm: each is normalised.</source>
        <translation>两者数值尺度相差 {:.3g} 倍（{}），并无妨碍：各自都会归一化。</translation>
    </message>
    <message>
        <source>{} of {} bands are flagged bad and {} hold no data; they are set aside.</source>
        <translation>{} 个波段（共 {} 个）被标记为坏波段，{} 个没有数据；均不参与计算。</translation>
    </message>
    <message>
        <source>The wavelengths of {} are not known, so nothing can be said of its range.</source>
        <translation>{} 的波长未知，因此无法判断其光谱范围。</translation>
    </message>
    <message>
        <source>The guide sees the whole range of {:.0f} to {:.0f} nm.</source>
        <translation>多光谱影像覆盖 {:.0f} 至 {:.0f} nm 的全部范围。</translation>
    </message>
    <message>
        <source>Clear the extent</source>
        <translation>清除范围</translation>
    </message>
    <message>
        <source>Neither layer has a CRS; one plane is assumed.</source>
        <translation>两个图层都没有坐标参照系，假定它们在同一平面内。</translation>
    </message>
    <message>
        <source>{} and {}: the same ground.</source>
        <translation>{} 与 {}：同一地面。</translation>
    </message>
    <message>
        <source>The CRSs differ: {} and {}.</source>
        <translation>坐标参照系不同：{} 与 {}。</translation>
    </message>
    <message>
        <source>right</source>
        <translation>向右</translation>
    </message>
    <message>
        <source>left</source>
        <translation>向左</translation>
    </message>
    <message>
        <source>below</source>
        <translation>向下</translation>
    </message>
    <message>
        <source>above</source>
        <translation>向上</translation>
    </message>
    <message>
        <source>One of the layers holds no valid values at all.</source>
        <translation>其中一个图层没有任何有效值。</translation>
    </message>
    <message>
        <source>hyperspectral {} to {}, guide {} to {}</source>
        <translation>高光谱 {} 至 {}，多光谱 {} 至 {}</translation>
    </message>
    <message>
        <source>None of {} bands is flagged or empty.</source>
        <translation>{} 个波段中没有被标记或为空的波段。</translation>
    </message>
    <message>
        <source>{} of {} is 0 in every band, and counts as data.</source>
        <translation>{1} 有 {0} 的像元在所有波段均为 0，并被当作数据。</translation>
    </message>
    <message>
        <source>{} of the hyperspectral layer and {} of the guide are nodata.</source>
        <translation>高光谱图层的 {} 和多光谱图层的 {} 为无数据。</translation>
    </message>
    <message>
        <source>They were taken {} days apart ({} and {}).</source>
        <translation>两者拍摄相隔 {} 天（{} 与 {}）。</translation>
    </message>
    <message>
        <source>Dates</source>
        <translation>日期</translation>
    </message>
    <message>
        <source>Swap the layers</source>
        <translation>交换图层</translation>
    </message>
    <message>
        <source>{} has no CRS; {} is assumed.</source>
        <translation>{} 没有坐标参照系，假定为 {}。</translation>
    </message>
    <message>
        <source>{} has no CRS.</source>
        <translation>{} 没有坐标参照系。</translation>
    </message>
    <message>
        <source>Both layers are in {}.</source>
        <translation>两个图层都使用 {}。</translation>
    </message>
    <message>
        <source>Both are on a like scale ({}).</source>
        <translation>两者数值尺度相近（{}）。</translation>
    </message>
    <message>
        <source>Treat 0 as nodata</source>
        <translation>将 0 作为无数据</translation>
    </message>
    <message>
        <source>Use {}</source>
        <translation>使用 {}</translation>
    </message>
    <message>
        <source>Both were taken on {}.</source>
        <translation>两者均拍摄于 {}。</translation>
    </message>
    <message>
        <source>good</source>
        <translation>良好</translation>
    </message>
    <message>
        <source>take care</source>
        <translation>注意</translation>
    </message>
    <message>
        <source>stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Before the run</source>
        <translation>运行之前</translation>
    </message>
    <message>
        <source>Check again</source>
        <translation>重新检查</translation>
    </message>
    <message>
        <source>Look at both layers once more</source>
        <translation>再次查看两个图层</translation>
    </message>
    <message>
        <source>Choose a hyperspectral and a multispectral layer.</source>
        <translation>请选择一个高光谱图层和一个多光谱图层。</translation>
    </message>
    <message>
        <source>Nothing stands against fusing these layers.</source>
        <translation>融合这两个图层没有任何障碍。</translation>
    </message>
    <message>
        <source>Checks that want a look: {} of {}.</source>
        <translation>需要留意的检查项：{} / {}。</translation>
    </message>
    <message>
        <source>Checks that stand against this run: {} of {}.</source>
        <translation>不能运行的检查项：{} / {}。</translation>
    </message>
    <message>
        <source>Training a few seconds on this ground, then fusing…</source>
        <translation>正在用此处地面训练数秒，然后融合…</translation>
    </message>
    <message>
        <source>The long run trains longer, on all of it.</source>
        <translation>正式运行会用全部范围训练更久。</translation>
    </message>
    <message>
        <source>input, upsampled</source>
        <translation>输入（上采样）</translation>
    </message>
    <message>
        <source>RASD Fusion: preview</source>
        <translation>RASD Fusion：预览</translation>
    </message>
    <message>
        <source>Preview</source>
        <translation>预览</translation>
    </message>
    <message>
        <source>Preview; the arrow keys move the dividing line</source>
        <translation>预览；用方向键移动分隔线</translation>
    </message>
    <message>
        <source>Fusing what the map shows…</source>
        <translation>正在融合地图显示的范围……</translation>
    </message>
    <message>
        <source>{} % of the points low-rank; {:.1f} s.</source>
        <translation>{} % 的点进入低秩分支；用时 {:.1f} 秒。</translation>
    </message>
    <message>
        <source>Low-rank share</source>
        <translation>低秩比例</translation>
    </message>
    <message>
        <source>confidence</source>
        <translation>置信度</translation>
    </message>
    <message>
        <source>fused</source>
        <translation>融合结果</translation>
    </message>
    <message>
        <source>attention</source>
        <translation>注意力</translation>
    </message>
    <message>
        <source>low-rank</source>
        <translation>低秩</translation>
    </message>
    <message>
        <source>{} low-rank (yellow), {} attention (blue) at a threshold of {:.3f}.</source>
        <translation>阈值 {2:.3f} 下：低秩 {0}（黄色），注意力 {1}（蓝色）。</translation>
    </message>
    <message>
        <source>Confidence layer</source>
        <translation>置信度图层</translation>
    </message>
    <message>
        <source>Stage and scale of the network</source>
        <translation>网络的阶段与尺度</translation>
    </message>
    <message>
        <source>Layer</source>
        <translation>图层</translation>
    </message>
    <message>
        <source>Stage</source>
        <translation>阶段</translation>
    </message>
    <message>
        <source>Threshold</source>
        <translation>阈值</translation>
    </message>
    <message>
        <source>Put the layer on top of the map</source>
        <translation>将图层置于地图最上层</translation>
    </message>
    <message>
        <source>Threshold of confidence</source>
        <translation>置信度阈值</translation>
    </message>
    <message>
        <source>Threshold of confidence, as a number</source>
        <translation>置信度阈值（数值）</translation>
    </message>
    <message>
        <source>Half of the points each</source>
        <translation>两个分支各占一半</translation>
    </message>
    <message>
        <source>Usual colours</source>
        <translation>常用配色</translation>
    </message>
    <message>
        <source>Add a confidence layer that rasd:fuse made.</source>
        <translation>请添加由 rasd:fuse 生成的置信度图层。</translation>
    </message>
    <message>
        <source>Low-rank share of {}</source>
        <translation>{} 的低秩占比</translation>
    </message>
    <message>
        <source>Share of points routed to the low-rank branch, percent</source>
        <translation>送入低秩分支的点的比例（百分比）</translation>
    </message>
    <message>
        <source>attention alone</source>
        <translation>仅用注意力</translation>
    </message>
    <message>
        <source>low-rank alone</source>
        <translation>仅用低秩</translation>
    </message>
    <message>
        <source>{} (measured on {}).</source>
        <translation>{}（在 {} 上实测）。</translation>
    </message>
    <message>
        <source>Sample scene of RASD Fusion</source>
        <translation>RASD Fusion 示例影像</translation>
    </message>
    <message>
        <source>Make room there, or allow writing.</source>
        <translation>请在那里腾出空间，或允许写入。</translation>
    </message>
    <message>
        <source>The sample scene cannot be copied to {} ({}).</source>
        <translation>无法将示例影像复制到 {}（{}）。</translation>
    </message>
    <message>
        <source>an NVIDIA driver was found</source>
        <translation>检测到 NVIDIA 驱动</translation>
    </message>
    <message>
        <source>Set-up fetches the build for {} ({}): about {} MB to download, {} MB on disk.</source>
        <translation>将安装 {} 版本（{}）：下载约 {} MB，占用磁盘 {} MB。</translation>
    </message>
    <message>
        <source>Remove the engine at {}? It can be set up again at any time.</source>
        <translation>要删除 {} 处的引擎吗？以后可随时重新安装。</translation>
    </message>
    <message>
        <source>RASD Fusion: engine</source>
        <translation>RASD Fusion：引擎</translation>
    </message>
    <message>
        <source>no NVIDIA driver was found</source>
        <translation>未检测到 NVIDIA 驱动</translation>
    </message>
    <message>
        <source>Make it again</source>
        <translation>重新安装</translation>
    </message>
    <message>
        <source>Repair</source>
        <translation>修复</translation>
    </message>
    <message>
        <source>Set up</source>
        <translation>安装</translation>
    </message>
    <message>
        <source>Setting up the engine</source>
        <translation>正在安装引擎</translation>
    </message>
    <message>
        <source>Self-test: fusing a tiny pair on each device</source>
        <translation>自检：在每个设备上融合一对小影像</translation>
    </message>
    <message>
        <source>Testing the engine</source>
        <translation>正在测试引擎</translation>
    </message>
    <message>
        <source>The diagnosis is on the clipboard: paste it where you ask for help.</source>
        <translation>诊断信息已复制到剪贴板：请粘贴到您求助的地方。</translation>
    </message>
    <message>
        <source>Folder of wheels, without a network</source>
        <translation>wheel 文件夹（离线）</translation>
    </message>
    <message>
        <source>only to set up without a network</source>
        <translation>仅用于离线安装</translation>
    </message>
    <message>
        <source>Log of the set-up</source>
        <translation>安装日志</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Self-test</source>
        <translation>自检</translation>
    </message>
    <message>
        <source>Copy diagnosis</source>
        <translation>复制诊断信息</translation>
    </message>
    <message>
        <source>Remove…</source>
        <translation>删除…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>The engine is ready.</source>
        <translation>引擎已就绪。</translation>
    </message>
    <message>
        <source>The engine was removed.</source>
        <translation>引擎已删除。</translation>
    </message>
    <message>
        <source>The engine is {}.</source>
        <translation>引擎状态：{}。</translation>
    </message>
    <message>
        <source>Renew</source>
        <translation>更新</translation>
    </message>
    <message>
        <source>Removing the engine</source>
        <translation>正在删除引擎</translation>
    </message>
    <message>
        <source>Stopping…</source>
        <translation>正在停止…</translation>
    </message>
    <message>
        <source>Folder of wheels</source>
        <translation>wheel 文件夹</translation>
    </message>
    <message>
        <source>{}: works, {:.2f} megapixels a second</source>
        <translation>{}：正常，每秒 {:.2f} 百万像元</translation>
    </message>
    <message>
        <source>Stopped. Press the button again to go on; what was fetched is kept.</source>
        <translation>已停止。再次按下按钮即可继续，已下载的内容会保留。</translation>
    </message>
    <message>
        <source>{}: does not work: {}</source>
        <translation>{}：无法工作：{}</translation>
    </message>
    <message>
        <source>The whole log: {}</source>
        <translation>完整日志：{}</translation>
    </message>
    <message>
        <source>Reading spectra</source>
        <translation>正在读取光谱</translation>
    </message>
    <message>
        <source>Plot of spectra</source>
        <translation>光谱曲线图</translation>
    </message>
    <message>
        <source>value</source>
        <translation>数值</translation>
    </message>
    <message>
        <source>Curves need matplotlib, which this QGIS does not have (on Debian or Ubuntu: apt install python3-matplotlib). Copying and saving as CSV work without it.</source>
        <translation>绘制曲线需要 matplotlib，而此 QGIS 没有安装（在 Debian 或 Ubuntu 上：apt install python3-matplotlib）。没有它仍可复制和保存为 CSV。</translation>
    </message>
    <message>
        <source>wavelength (nm)</source>
        <translation>波长（nm）</translation>
    </message>
    <message>
        <source>band number</source>
        <translation>波段号</translation>
    </message>
    <message>
        <source>at</source>
        <translation>位于</translation>
    </message>
    <message>
        <source>{}: mean and spread</source>
        <translation>{}：均值与离散范围</translation>
    </message>
    <message>
        <source>{share} of the points through the low-rank branch; network time {time}, memory {memory}, expected loss {loss:.2f} dB</source>
        <translation>{share} 的点进入低秩分支；网络用时 {time}，内存 {memory}，预计损失 {loss:.2f} dB</translation>
    </message>
    <message>
        <source>unchanged</source>
        <translation>不变</translation>
    </message>
    <message>
        <source>Measures how good a fused layer is.</source>
        <translation>衡量融合图层的质量。</translation>
    </message>
    <message>
        <source>With a reference, which must stand on the same pixels: PSNR (mean over the bands), SAM (degrees), ERGAS, SSIM, UIQI, Q2ⁿ, RMSE and correlation; a map of the error and one of the spectral angle.</source>
        <translation>有参考影像时（必须与融合图层像元完全对应）：PSNR（各波段的均值）、SAM（度）、ERGAS、SSIM、UIQI、Q2ⁿ、RMSE 和相关系数；并生成误差图和光谱角图。</translation>
    </message>
    <message>
        <source>With the two layers that were fused, both of them: QNR with its D_λ and D_s (as the guide has several bands, D_s is the mean over all pairs of a hyperspectral and a guide band), and the consistency: how far the fused layer, seen by either sensor again, is from that sensor's layer, as a share of its range. Where the standard deviation of the sensor's blur is left empty, it is estimated from these two.</source>
        <translation>有参与融合的两个图层时（两者都要）：QNR 及其 D_λ 和 D_s（由于多光谱影像有多个波段，D_s 是所有高光谱–多光谱波段组合的均值），以及一致性：把融合图层再按两个传感器各自的成像方式观测，与该传感器图层相差多少，以其数值范围的占比表示。传感器模糊的标准差留空时，由这两个图层估计。</translation>
    </message>
    <message>
        <source>Peak of PSNR and SSIM: “maximum” is the reference's greatest value, “band” each band's own, “value” the one given, which is in units of scaled values.</source>
        <translation>PSNR 和 SSIM 的峰值：“maximum”为参考影像的最大值，“band”为各波段自身的最大值，“value”为给定值，单位与应用缩放后的数值相同。</translation>
    </message>
    <message>
        <source>Invalid pixels, and bands flagged bad in either layer, count for nothing. Black reference pixels have no angle, constant bands no correlation; what cannot be told is left out, never a wrong number.</source>
        <translation>无效像元，以及任一图层中标记为坏的波段都不参与计算。全黑的参考像元没有光谱角，常数波段没有相关系数；无法得出的指标一律留空，绝不给出错误数字。</translation>
    </message>
    <message>
        <source>The report is one HTML file with everything inside it: figures, maps, plots by band and spectra of some pixels, against the reference, against the inputs, or both. Every figure is an output of its own for models; those by band are one text (JSON), which from_json() of QGIS's expressions reads.</source>
        <translation>报告是一个包含全部内容的 HTML 文件：指标、分布图、逐波段曲线以及若干像元的光谱，对照参考、输入或两者。每个指标都有各自的输出，可供图形模型使用；逐波段指标是一段文本（JSON），可用 QGIS 表达式的 from_json() 读取。</translation>
    </message>
    <message>
        <source>Runs a model on a pair of layers and maps what its stages do there, for one or several routing ratios: the figure of the routing in the article on RASD-FuNet.</source>
        <translation>在一对图层上运行模型，对一个或多个路由比例绘制网络各阶段的行为：即 RASD-FuNet 论文中的路由图。</translation>
    </message>
    <message>
        <source>Confidence shows, from 0 to 1, how sure a stage is that the low-rank model serves a point: first the mean, then each stage at full scale and at an eighth. Routing shows which branch each point took, a band for each stage and scale: 1 low-rank, 0 attention, 255 nothing. A ratio of 0 sends all points to attention, 1 all to the low-rank branch. The model that comes with the plugin looks at several components of the spectrum one by one: its confidence is their mean, and a point's branch the one that it took in most of them, each weighed by the error expected in it.</source>
        <translation>置信度以 0 到 1 表示某一阶段有多确信低秩模型适合该点：先是均值，然后是各阶段在全尺度和八分之一尺度上的值。路由显示每个点经过的分支，每个阶段和尺度一个波段：1 为低秩，0 为注意力，255 为无。比例为 0 时所有点进入注意力分支，为 1 时全部进入低秩分支。随插件附带的模型逐个处理光谱的若干分量：其置信度是各分量的均值，某点的分支是它在多数分量中经过的分支，各分量按其预期误差加权。</translation>
    </message>
    <message>
        <source>On a scene of more than one tile the points are routed tile by tile, as in “Fuse”.</source>
        <translation>若影像超过一个分块，则与“融合”一样逐块分配路由。</translation>
    </message>
    <message>
        <source>Without a model file the model is the one that comes with the plugin. A file comes from “Train” or from the output “Trained model” of “Fuse”. Where the standard deviation of the sensor's blur is left empty, it is found as in “Fuse”. Two rasters for each ratio are written to the folder.</source>
        <translation>不给模型文件时，使用随插件附带的模型。文件来自“训练”，或来自“融合”的输出“训练好的模型”。传感器模糊的标准差留空时，与“融合”一样自动确定。每个比例在文件夹中写入两个栅格。</translation>
    </message>
    <message>
        <source>Makes the principal components of a hyperspectral layer, of its good bands, and the normalised difference (a − b) / (a + b) of the bands nearest to two wavelengths: with the usual 800 and 670 nm the vegetation index NDVI.</source>
        <translation>计算高光谱图层（有效波段）的主成分，以及最接近两个波长的波段的归一化差值 (a − b) / (a + b)：取常用的 800 和 670 nm 时即植被指数 NDVI。</translation>
    </message>
    <message>
        <source>A band further than 50 nm from a wavelength does not serve; a layer without wavelengths gives components alone. Scale and offset count.</source>
        <translation>与指定波长相差超过 50 nm 的波段不予采用；没有波长信息的图层只给出主成分。缩放和偏移会被计入。</translation>
    </message>
    <message>
        <source>Fuses a coarse hyperspectral layer with a fine multispectral layer of the same ground: the result has the bands of the first on the grid of the second. It is computed by the network RASD-FuNet, which sends the points that it trusts to be simple through a low-rank branch and the others through attention.</source>
        <translation>将粗分辨率的高光谱图层与同一地面的细分辨率多光谱图层融合：结果具有前者的波段和后者的格网。计算由网络 RASD-FuNet 完成，它把确信简单的点送入低秩分支，其余的点送入注意力分支。</translation>
    </message>
    <message>
        <source>Hyperspectral layer, multispectral layer: files on this computer. They may differ in CRS, extent and rotation, and the ratio of their pixel sizes need not be whole. A CRS or nodata set on the layer counts.</source>
        <translation>高光谱图层、多光谱图层：本机上的文件。两者的坐标参照系、范围和旋转可以不同，像元大小之比不必为整数。在图层上设置的坐标参照系或无数据值有效。</translation>
    </message>
    <message>
        <source>Share of points routed to the low-rank branch: 0 uses attention alone, 1 the low-rank branch alone; more is faster. 0.3 to 0.9 is useful.</source>
        <translation>送入低秩分支的点的比例（路由比例）：0 表示只用注意力，1 表示只用低秩分支；比例越大越快。0.3 至 0.9 较为适用。</translation>
    </message>
    <message>
        <source>Routing: “fixed” sends that share of the points; “auto” takes it as the least share, and every stage sends all points that it calls low-rank itself, which is more and faster.</source>
        <translation>路由：“fixed”按该比例送入；“auto”以该比例为下限，各阶段把自己判为低秩的点全部送入低秩分支，点更多，速度更快。</translation>
    </message>
    <message>
        <source>Model: “bundled” is the one that comes with the plugin, made for any pair of sensors; “scene” trains on these two layers, within the training time, and is used where it is clearly the better one; “file” uses a model that an earlier run saved.</source>
        <translation>模型：“bundled”是插件自带的模型，适用于任意一对传感器；“scene”在训练时间内用这两个图层训练，只有明显更好时才采用；“file”使用以前运行保存的模型。</translation>
    </message>
    <message>
        <source>Extent: the part to fuse; empty takes all that both layers cover.</source>
        <translation>范围：要融合的部分；留空则取两个图层共同覆盖的全部范围。</translation>
    </message>
    <message>
        <source>Standard deviation of the sensor's blur: of a Gaussian, in hyperspectral pixels. Empty has it estimated: the value with which the two layers agree best. The log tells it. A model file made for two sensors brings its own.</source>
        <translation>传感器模糊的标准差：高斯型，以高光谱像元计。留空则由程序估计：取使两个图层最为一致的值，并写入日志。为两种特定传感器训练的模型文件则使用其自带的值。</translation>
    </message>
    <message>
        <source>Fused keeps data type, nodata, scale, band names and wavelengths of the hyperspectral layer. Confidence shows, from 0 to 1, where the network trusted the low-rank branch: first the mean, then each stage and scale. Uncertainty (model “bundled” alone) tells of every band and pixel how far, in the layer's unit, the fused value may be off: the truth lies nearer in about nine pixels of ten. Trained model is what model “file” uses. A name that ends in .vrt joins GeoTIFFs of 4096 pixels a side, in a folder beside it.</source>
        <translation>融合结果保留高光谱图层的数据类型、无数据值、缩放、波段名称和波长。置信度以 0 到 1 表示网络在何处信任低秩分支：先是均值，然后是各阶段和尺度。不确定性（仅限模型“bundled”）以图层的单位给出每个波段、每个像元的融合值可能偏离多少：约十分之九的像元，真值偏离不超过此值。训练好的模型供模型“file”使用。名称以 .vrt 结尾的输出由旁边一个文件夹中边长 4096 像元的多个 GeoTIFF 拼接而成。</translation>
    </message>
    <message>
        <source>A run that was cancelled or cut short leaves a folder beside the output, “.rasd-resume” at the end of its name: the same run, started again, goes on from there. It is removed when the run is complete, or by a later run after 14 days.</source>
        <translation>被取消或中断的运行会在输出旁留下一个名称以“.rasd-resume”结尾的文件夹：再次启动同一运行即从该处继续。运行完成后该文件夹会被删除，或在 14 天后由之后的某次运行删除。</translation>
    </message>
    <message>
        <source>Dask scheduler: the address of a Dask cluster that runs already, such as tcp://host:8786; its workers fuse the tiles, to the same pixels. All workers must find the inputs, and the output's folder or else the folder or URL given to share, under the same names. The guide's page “Many machines” says what that takes.</source>
        <translation>Dask 调度器：一个已在运行的 Dask 集群的地址，例如 tcp://host:8786；由其工作节点融合各分块，所得像元值相同。所有工作节点都须能以相同的名称访问输入，以及输出所在的文件夹，或另行指定的共享文件夹或 URL。指南中的“Many machines”一页说明所需条件。</translation>
    </message>
    <message>
        <source>The engine is set up once, by the algorithm “Set up the engine”.</source>
        <translation>计算引擎只需用算法“安装计算引擎”安装一次。</translation>
    </message>
    <message>
        <source>Fuses every pair of two folders by one model: a hyperspectral file and a multispectral one make a pair where they bear the same name, whatever their endings.</source>
        <translation>用一个模型融合两个文件夹中的每一对影像：文件名相同（不论扩展名）的高光谱文件与多光谱文件组成一对。</translation>
    </message>
    <message>
        <source>Without a model file the model is the one that comes with the plugin, which serves any pair of sensors. A file comes from “Train”, or from the output “Trained model” of “Fuse”, and serves the sensors that it was trained on. For each pair a fused raster and its confidence are written to the folder, each with its style.</source>
        <translation>不给模型文件时，使用随插件附带的模型，它适用于任何一对传感器。文件来自“训练”，或来自“融合”的输出“训练好的模型”，适用于它训练时所用的传感器。对每一对影像，融合栅格及其置信度连同各自的样式写入文件夹。</translation>
    </message>
    <message>
        <source>A pair that cannot be fused is reported, and the next one follows.</source>
        <translation>无法融合的影像对会在日志中报告，然后继续处理下一对。</translation>
    </message>
    <message>
        <source>Makes the engine that computes the fusion: a Python environment of its own, with PyTorch, in your data folder. QGIS's own Python is left as it is. It takes about 1.3 GB of disk, 7.5 GB with the build for NVIDIA cards, and needs the network once; QGIS's proxy and certificates, pip's settings and HTTPS_PROXY are honoured.</source>
        <translation>安装进行融合计算的引擎：位于用户数据文件夹中的独立 Python 环境，包含 PyTorch。QGIS 自己的 Python 保持不变。约需 1.3 GB 磁盘空间（适用于 NVIDIA 显卡的版本为 7.5 GB），并需联网一次；QGIS 的代理和证书、pip 的设置以及 HTTPS_PROXY 均会遵循。</translation>
    </message>
    <message>
        <source>Run it again to repair a broken engine, or after the plugin was upgraded; it is quick where nothing is to be done. At its end it fuses a tiny pair on each device. Without a network it takes a folder of wheels, as “pip download” leaves one. The variable RASD_FUSION_ENGINE chooses another place, or an existing environment.</source>
        <translation>引擎损坏或插件升级后请再次运行；若无事可做则很快结束。最后会在每个设备上融合一对小影像作为自检。离线时可使用由“pip download”得到的 wheel 文件夹。变量 RASD_FUSION_ENGINE 可指定其他位置或现有环境。</translation>
    </message>
    <message>
        <source>Makes a hyperspectral and a multispectral layer out of one reference, a hyperspectral layer of high resolution, by Wald's protocol. What their fusion ought to be is then known: the reference.</source>
        <translation>按照 Wald 协议，由一幅参考影像（高分辨率的高光谱图层）生成一个高光谱图层和一个多光谱图层。这样，它们的融合结果应当是什么就是已知的：即参考影像。</translation>
    </message>
    <message>
        <source>Ratio: how many pixels of the reference are one of the hyperspectral layer, along either axis. It need not be whole.</source>
        <translation>分辨率比：沿任一坐标轴，多少个参考像元对应一个高光谱像元。不必为整数。</translation>
    </message>
    <message>
        <source>The sensor's blur is a Gaussian, told by its standard deviation in coarse pixels or by its MTF at the Nyquist frequency of the coarse grid (0.3 is usual); without either its full width at half maximum is a coarse pixel. The kernel has the ratio's parity, so that a coarse pixel stands in the middle of its block.</source>
        <translation>传感器的模糊为高斯型，由以粗像元计的标准差，或由粗格网奈奎斯特频率处的 MTF 给定（常用 0.3）；两者都不给时，其半高全宽为一个粗像元。模糊核的奇偶性与分辨率比相同，因此粗像元位于其块的中央。</translation>
    </message>
    <message>
        <source>Response of the multispectral sensor: “sensor” takes a real one by its name, “table” reads a CSV file (wavelengths in nm in the first column, then a column a band), “random” draws smooth curves by the seed. Bands chooses some of them by name; empty takes the usual ones that the reference covers.</source>
        <translation>多光谱传感器的光谱响应：“sensor”按名称取真实传感器，“table”读取 CSV 文件（第一列为以 nm 计的波长，其后每列一个波段），“random”按种子生成平滑曲线。波段可按名称选取其中一部分；留空则取参考影像所覆盖的常用波段。</translation>
    </message>
    <message>
        <source>Signal-to-noise ratio in dB, of each band by itself; empty adds no noise.</source>
        <translation>信噪比以 dB 计，逐波段计算；留空则不加噪声。</translation>
    </message>
    <message>
        <source>Phase: “published” keeps pixel 0 of every block, as the benchmarks of the literature do. The coarse pixels then stand half a coarse pixel from the blocks' middles, and are georeferenced there.</source>
        <translation>采样相位：“published”保留每块的第 0 个像元，与文献中的基准一致。此时粗像元与块中央相差半个粗像元，并按该位置进行地理参照。</translation>
    </message>
    <message>
        <source>Data type, nodata, scale and wavelengths carry over. The sensors' response functions come from the package pyrsr (Apache-2.0).</source>
        <translation>数据类型、无数据值、缩放和波长都会保留。传感器的光谱响应函数来自软件包 pyrsr（Apache-2.0）。</translation>
    </message>
    <message>
        <source>Trains the network RASD-FuNet for a pair of sensors. “Fuse” then uses the model for every pair with these bands and this ratio of pixel sizes (model “file”).</source>
        <translation>为一对传感器训练网络 RASD-FuNet。此后“融合”可将该模型用于具有这些波段和这一像元大小比的每一对影像（模型“file”）。</translation>
    </message>
    <message>
        <source>What to train on is one of three. References: hyperspectral layers of high resolution; each is degraded to a hyperspectral–multispectral pair, as by “Simulate”, whose fusion is then known. A benchmark's folder: CAVE (a folder a scene with 31 PNG files), ICVL or KAIST (a MATLAB or HDF5 file a scene), each scene being a reference. Ready pairs: as many hyperspectral as multispectral layers, in the same order; with references in that order too these are the truth, without any the pairs are reduced by their own ratio.</source>
        <translation>训练材料有三种，选其一。参考影像：高分辨率的高光谱图层；每一幅像“模拟”那样退化为融合结果已知的高光谱–多光谱影像对。基准数据集文件夹：CAVE（每景一个文件夹，含 31 个 PNG 文件）、ICVL 或 KAIST（每景一个 MATLAB 或 HDF5 文件），每景即一幅参考影像。现成影像对：数量相同、次序一致的高光谱与多光谱图层；若再按同样次序给出参考影像，则以其为真值，否则影像对按其自身的分辨率比再行退化。</translation>
    </message>
    <message>
        <source>Ratio, blur, phase and response are those of “Simulate”. Of ready pairs the ratio is their own, and the blur is estimated where it is not given.</source>
        <translation>分辨率比、模糊、采样相位和光谱响应与“模拟”中的相同。现成影像对的分辨率比由其自身决定，未给出模糊时由程序估计。</translation>
    </message>
    <message>
        <source>Settings of training: “laptop” finishes on two cores in 20 minutes, unless another time is given. “paper-cave”, “paper-icvl” and “paper-kaist” are those of the article: L1, Adam at 0.0004 with cosine annealing, batches of 16 patches of 64 × 64 at a stride of 32, all bands, starting from cubic interpolation; 1000, 120 or 300 epochs; ratio 8, a Gaussian of 3 pixels in a kernel of 8. They take days without a GPU.</source>
        <translation>训练设置：“laptop”在两个 CPU 核心上 20 分钟完成，除非另给时间。“paper-cave”、“paper-icvl”和“paper-kaist”为论文中的设置：L1，Adam，学习率 0.0004，余弦退火，每批 16 个 64 × 64 的图块，步长 32，全部波段，从三次插值开始；1000、120 或 300 个 epoch；分辨率比 8，8 × 8 核中标准差为 3 像元的高斯模糊。没有 GPU 时需要数天。</translation>
    </message>
    <message>
        <source>Beside the model stand its loss curve as a table and a picture, renewed while it trains, and until it is done a checkpoint. Cancel at any time: run it again with the same inputs and settings, and it goes on from there. A tenth of the pixels is kept out of training; the weights that predict these best are the model.</source>
        <translation>模型旁边有损失曲线的表格和图片，训练时不断更新；训练完成之前还有检查点文件。可随时取消：用相同的输入和设置再次运行，即可从中断处继续。十分之一的像元留出不参与训练；对这些像元预测最好的权重即为模型。</translation>
    </message>
</context>
</TS>
