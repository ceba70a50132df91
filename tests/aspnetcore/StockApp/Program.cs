using System;
using System.Threading;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Hosting;

namespace StockApp
{
    public static class Program
    {
        public static int Main(string[] args)
        {
            if (Number("STARTUP_EXIT_CODE") is int code)
            {
                Console.Error.WriteLine("exiting at start, as STARTUP_EXIT_CODE says");
                return code;
            }
            Thread.Sleep(Number("STARTUP_DELAY_MS") ?? 0);
            CreateHostBuilder(args).Build().Run();
            return 0;
        }

        public static IHostBuilder CreateHostBuilder(string[] args) =>
            Host.CreateDefaultBuilder(args)
                .ConfigureWebHostDefaults(web => web.UseStartup<Startup>());

        private static int? Number(string variable) =>
            int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : (int?)null;
    }
}
